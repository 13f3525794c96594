using QApollo.Checkpoints;
using QApollo.Cli.Tests.Attacks;

namespace QApollo.Cli.Tests.Faults;

/// <summary>Every command that writes, on a tiny model.</summary>
internal sealed class WritingCommands
{
    private const int Steps = 3;

    private readonly TinyRun _tiny;
    private readonly string _run;
    private readonly string _tokenizer;

    public WritingCommands(TinyRun tiny)
    {
        _tiny = tiny;
        Work = Path.Combine(tiny.Folder, "work");
        _run = tiny.RunFolder("run");
        _tokenizer = Path.Combine(tiny.Folder, "tokenizer.json");
        File.WriteAllText(tiny.TextPath, File.ReadAllText(tiny.TextPath)[..6000]);
        Must("tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", "260", "--output", _tokenizer);
        Must([.. tiny.Train("run", Steps, "--save-every", "1", "--tokenizer", _tokenizer, "--schedule", "constant")]);

        // A run in the middle: its folder and the cache that it reads are the work folder's beginning.
        Begun = Path.Combine(tiny.Folder, "begun");
        Directory.CreateDirectory(Work);
        Must(Train(1, "--tokenizer", _tokenizer));
        Directory.Move(Work, Begun);
    }

    /// <summary>Where the commands write.</summary>
    public string Work { get; }

    /// <summary>A work folder with a run that has one checkpoint.</summary>
    public string Begun { get; }

    public IEnumerable<WritingCommand> All()
    {
        string[] longer = ["train", "--resume", "--output-dir", In("run"), "--max-steps", $"{Steps + 1}"];
        string[] resume = ["train", "--resume", "--output-dir", In("run"), "--max-steps", $"{Steps}"];
        foreach ((string name, string[] more) in ((string, string[])[])[
            ("train", ["--tokenizer", _tokenizer, "--tensorboard", "--eval-every", "2", "--sample-every", "1", "--sample-tokens", "4"]),
            ("train, layers on disk", ["--tokenizer", "bytes", "--layers", "disk", "--keep-best", "--eval-every", "1"])])
        {
            string[] train = Train(Steps, more);
            yield return new WritingCommand(name, train, () => CheckpointFolder.List(In("run")).Count > 0 ? resume : train, longer, null);
        }

        yield return new WritingCommand("train --resume", resume, null, longer, Begun);
        foreach (string format in (string[])["hf", "gguf"])
        {
            string[] export = ["export", "--checkpoint", _run, "--format", format, "--output", In(format == "hf" ? "model" : "model.gguf")];
            yield return Plain($"export --format {format}", export, "--force");
        }

        yield return Plain("data prepare", ["data", "prepare", "--data", _tiny.TextPath, "--tokenizer", _tokenizer, "--output-dir", In("shards"), "--cache-dir", In("cache"), "--threads", "1"]);
        yield return Plain("tokenizer train", ["tokenizer", "train", "--data", _tiny.TextPath, "--vocab-size", "260", "--output", In("tokenizer.json")], "--force");
        yield return Plain("report", ["report", _run, "--output", In("report.html")]);
        yield return Plain("plan --html", ["plan", "--model", _tiny.ModelPath, "--batch-size", "1", "--seq-len", "16", "--html", In("plan.html")], "--force");
        string[] profile =
        [
            "profile", "--model", _tiny.ModelPath, "--steps", "1", "--batch-size", "1", "--seq-len", "16", "--threads", "1", "--html", In("profile.html"), "--markdown", In("profile.md"),
        ];

        // The first of the two files may be there.
        yield return new WritingCommand("profile", profile, () => [.. profile, "--force"], [.. profile, "--force"], null);
        yield return Plain("eval", ["eval", "--checkpoint", _run, "--data", _tiny.TextPath, "--cache-dir", In("cache"), "--max-tokens", "64", "--threads", "1"]);
    }

    private static WritingCommand Plain(string name, string[] arguments, params string[] next) => new(name, arguments, null, [.. arguments, .. next], null);

    private string In(string name) => Path.Combine(Work, name);

    private string[] Train(int steps, params string[] more) =>
    [
        "train", "--model", _tiny.ModelPath, "--data", _tiny.TextPath, "--output-dir", In("run"), "--cache-dir", In("cache"), "--schedule", "constant", "--warmup-steps", "1",
        "--max-steps", $"{steps}", "--batch-size", "1", "--seq-len", "16", "--threads", "1", "--eval-every", "0", "--save-every", "1", .. more,
    ];

    private static void Must(params string[] arguments)
    {
        CallResult result = InProcess.Run(arguments);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', arguments)}: {result.Error}");
        }
    }
}
