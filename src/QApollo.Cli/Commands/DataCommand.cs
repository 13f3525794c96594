using System.CommandLine;
using System.Globalization;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using D = QApollo.Cli.Options.DataOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo data prepare`: text to token shards beforehand.</summary>
internal static class DataCommand
{
    private static readonly OptionSpec<string> Output = Spec.Folder(
        "--output-dir", D.Group, "Folder of the shards.", null, "a folder of the cache, where train finds it again");

    private static readonly OptionSpec<long> Seed = Spec.Long("--seed", D.Group, "Chooses which documents are held out; train uses its own --seed.", 1, 0);

    public static Command Create()
    {
        var prepare = new Command("prepare", "Tokenize text into shards in llm.c's .bin layout.");
        var commandLine = new CommandLine(prepare, [D.Text, D.Tokenizer, D.SpecialTokens, D.ValidShare, D.TextField, D.Strict, D.CacheDir, D.CacheLimit, D.Threads, Output, Seed]);
        prepare.SetAction(parsed => Execute(commandLine, parsed));
        var data = new Command("data", "Prepare training data.");
        data.Subcommands.Add(prepare);
        return data;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ModelSettings.Read(commandLine, parsed, D.Text);
        ITokenizer tokenizer = TokenizerLoader.Load(values.Get(D.Tokenizer), values.Get(D.SpecialTokens));
        PreparationOptions options = DataSettings.ToPreparationOptions(values, (ulong)values.Get(Seed)) with
        {
            Data = values.Get(D.Text),
            OutputFolder = values.GetText(Output),
        };
        var last = new LastProgress();
        using var interrupt = new InterruptSignal("stopping; the next call goes on from here");
        using TrainingData data = Run(options, tokenizer, last, interrupt.Token);
        foreach (string note in data.Notes)
        {
            Console.WriteLine($"note: {note}");
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{data.TrainTokens:N0} tokens to train on, {data.ValidationTokens:N0} held out, by {tokenizer.Description}"));
        Console.WriteLine(data.Datasets.All(dataset => dataset.Data.Reused)
            ? "found prepared; nothing to do"
            : string.Create(CultureInfo.InvariantCulture, $"{last.Value.MegabytesPerSecond:F1} MB/s, {last.Value.TokensPerSecond:N0} tokens/s"));
        foreach ((string name, PreparedData dataset) in data.Datasets)
        {
            Console.WriteLine($"shards{(name.Length == 0 ? string.Empty : $" of {name}")}: {dataset.Folder}");
        }

        return ExitCode.Success;
    }

    private static TrainingData Run(PreparationOptions options, ITokenizer tokenizer, LastProgress last, CancellationToken stop)
    {
        using var view = new PreparationView(Terminal.Out, !Console.IsOutputRedirected);
        last.Next = view;
        return TrainingData.Prepare(options, tokenizer, WhenExhausted.Repeat, last, stop);
    }

    /// <summary>Keeps the last report of the tokenization for the closing line.</summary>
    private sealed class LastProgress : IProgress<PreparationProgress>
    {
        public PreparationView? Next { get; set; }

        public PreparationProgress Value { get; private set; }

        public void Report(PreparationProgress value)
        {
            if (value.Phase == PreparationPhase.Tokenizing)
            {
                Value = value;
            }

            Next?.Report(value);
        }
    }
}
