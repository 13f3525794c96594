using System.Security.Cryptography;
using System.Text.Json.Nodes;
using QApollo.Checkpoints;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>A folder with one of everything that the program reads, and commands that read it.</summary>
internal sealed class AttackFixture : IDisposable
{
    private readonly TinyRun _tiny = new();

    public AttackFixture()
    {
        string documents = string.Concat(Enumerable.Range(0, 40).Select(i => $"{{\"text\":\"Document {i} says a few words.\",\"more\":[{i}]}}\n"));
        File.WriteAllText(Path.Combine(Folder, "docs.jsonl"), documents);
        using (var gzip = new System.IO.Compression.GZipStream(File.Create(Path.Combine(Folder, "text.txt.gz")), System.IO.Compression.CompressionLevel.Fastest))
        {
            gzip.Write(File.ReadAllBytes(_tiny.TextPath));
        }

        Must("tokenizer", "train", "--data", Place("docs.jsonl"), "--vocab-size", "280", "--output", Place("tokenizer.json"));
        Must("data", "prepare", "--data", _tiny.TextPath, "--output-dir", Place("shards"), "--cache-dir", Place("cache"));
        Must(_tiny.Train("run", 2, "--save-every", "1", "--keep", "2", "--budget", "64MiB", "--tokenizer", "bytes"));
        Directory.CreateDirectory(Place("model"));
        foreach (string name in (string[])[CheckpointFolder.ConfigFile, CheckpointFolder.ModelFile])
        {
            File.Copy(Path.Combine(Place("run"), CheckpointFolder.NameOf(2), name), Path.Combine(Place("model"), name));
        }

        Directory.CreateDirectory(Place("sharded"));
        File.Copy(Path.Combine(Place("model"), CheckpointFolder.ConfigFile), Path.Combine(Place("sharded"), CheckpointFolder.ConfigFile));
        File.Copy(Path.Combine(Place("model"), CheckpointFolder.ModelFile), Path.Combine(Place("sharded"), "a.safetensors"));
        WriteIndex();
        Targets =
        [
            .. Each("run/step-000002", ["config.json", "complete.json", "state.json", "model.safetensors", "optimizer.safetensors"], Resume, Generate("run"), Eval("run")),
            .. Each("run", ["run.json", "metrics.jsonl"], Resume, Generate("run")),
            .. Each("model", ["config.json", "model.safetensors"], Generate("model"), Eval("model"), ContinueFrom("model")),
            .. Each("sharded", ["model.safetensors.index.json", "a.safetensors"], Generate("sharded")),
            .. Each("shards", ["dataset.json", "train-000000.bin"], TrainOn("shards"), TrainOn("shards/train-000000.bin")),
            .. Each(".", ["config.json"], TrainOn("text.txt"), Plan),
            .. Each(".", ["options.json"], ["train", "--config", "options.json", "--data", "text.txt", "--output-dir", "new", "--cache-dir", "cache", "--max-steps", "1", "--budget", "64MiB", "--threads", "1"]),
            .. Each(".", ["tokenizer.json"], Prepare("docs.jsonl", "--tokenizer", "tokenizer.json")),
            .. Each(".", ["docs.jsonl"], Prepare("docs.jsonl"), ["tokenizer", "train", "--data", "docs.jsonl", "--vocab-size", "270", "--output", "new.json"]),
            .. Each(".", ["text.txt.gz"], Prepare("text.txt.gz")),
            .. Each("cache", ["sources.json"], Prepare("text.txt")),
        ];
        File.Copy(Path.Combine(Place("run"), "run.json"), Place("options.json"));
    }

    public string Folder => _tiny.Folder;

    /// <summary>Files to damage, and the commands that meet them; paths are relative to the folder.</summary>
    public IReadOnlyList<(string File, string[] Command)> Targets { get; }

    private static string[] Resume => ["train", "--resume", "--output-dir", "run", "--max-steps", "3", "--threads", "1", "--budget", "64MiB"];

    private static string[] Plan => ["plan", "--model", "config.json", "--batch-size", "1", "--seq-len", "16"];

    /// <summary>Gives a checkpoint's record the lengths and checksums of its files as they are: damage by somebody who knows it.</summary>
    public static void Reseal(string checkpoint)
    {
        string path = Path.Combine(checkpoint, CheckpointFolder.CompletionFile);
        JsonNode record = JsonNode.Parse(File.ReadAllBytes(path))!;
        foreach ((string name, JsonNode? entry) in record["files"]!.AsObject())
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(checkpoint, name));
            entry!["bytes"] = bytes.Length;
            entry["sha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes));
        }

        File.WriteAllText(path, record.ToJsonString());
    }

    /// <summary>The full path of something in the folder, or of a place for output; other words as they are.</summary>
    public string In(string word)
    {
        string path = word.Length == 0 || word.Any(char.IsControl) ? word : Path.Combine(Folder, word);
        return word.StartsWith("new", StringComparison.Ordinal) || Path.Exists(path) ? path : word;
    }

    /// <summary>Removes what a command has written.</summary>
    public void RemoveNew()
    {
        foreach (string path in Directory.EnumerateFileSystemEntries(Folder, "new*"))
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
    }

    public void Dispose() => _tiny.Dispose();

    private static string[] Generate(string checkpoint) =>
        ["generate", "--checkpoint", checkpoint, "--tokenizer", "bytes", "--prompt", "ab", "--max-tokens", "3", "--threads", "1"];

    private static string[] Eval(string checkpoint) =>
        ["eval", "--checkpoint", checkpoint, "--tokenizer", "bytes", "--data", "text.txt", "--cache-dir", "cache", "--max-tokens", "64", "--seq-len", "16", "--threads", "1"];

    private static string[] TrainOn(string data) =>
        ["train", "--model", "config.json", "--tokenizer", "bytes", "--data", data, "--output-dir", "new", "--cache-dir", "cache", "--max-steps", "1", "--batch-size", "1", "--seq-len", "16", "--budget", "64MiB", "--threads", "1"];

    private static string[] ContinueFrom(string model) =>
        ["train", "--model", model, "--tokenizer", "bytes", "--data", "text.txt", "--output-dir", "new", "--cache-dir", "cache", "--max-steps", "1", "--batch-size", "1", "--seq-len", "16", "--budget", "64MiB", "--threads", "1"];

    private static string[] Prepare(string data, params string[] more) =>
        ["data", "prepare", "--data", data, "--output-dir", "new-shards", "--cache-dir", "cache", "--threads", "2", .. more];

    private static IEnumerable<(string, string[])> Each(string folder, string[] files, params string[][] commands) =>
        from file in files from command in commands select (Path.Combine(folder, file), command);

    private static void Must(params string[] arguments)
    {
        CallResult result = InProcess.Run(arguments);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException(result.Error);
        }
    }

    private void WriteIndex()
    {
        using var reader = new SafetensorsReader(Path.Combine(Place("sharded"), "a.safetensors"));
        var map = new JsonObject(reader.Entries.Select(entry => KeyValuePair.Create(entry.Name, (JsonNode?)"a.safetensors")));
        File.WriteAllText(Path.Combine(Place("sharded"), "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private string Place(string name) => Path.Combine(Folder, name);
}
