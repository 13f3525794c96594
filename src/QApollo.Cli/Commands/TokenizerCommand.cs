using System.CommandLine;
using System.Globalization;
using QApollo.Cli.Options;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Training;
using D = QApollo.Cli.Options.DataOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo tokenizer train`: learns a byte-level BPE vocabulary from text.</summary>
internal static class TokenizerCommand
{
    private static readonly OptionSpec<int> VocabularySize = Spec.Int(
        "--vocab-size", D.Group, "Tokens of the vocabulary, the end of a document included.", 32_000, BpeTrainerOptions.SmallestVocabulary);

    private static readonly OptionSpec<long> MinFrequency = Spec.Long("--min-frequency", D.Group, "Pairs that occur less often are not merged.", 2, 1);

    private static readonly OptionSpec<WordPattern> Pattern = Spec.Choice(
        "--pattern", D.Group, "How text is cut into words.", WordPattern.Llama3, ("llama3", WordPattern.Llama3), ("gpt2", WordPattern.Gpt2));

    private static readonly OptionSpec<string> Output = Spec.Text("--output", D.Group, "The file to write.", "a path", "tokenizer.json");

    public static Command Create()
    {
        var train = new Command("train", "Train a byte-level BPE tokenizer and write it as tokenizer.json.");
        var commandLine = new CommandLine(train, [D.TokenizerText, VocabularySize, MinFrequency, Pattern, Output, OutputFile.Force, D.TextField, D.Strict, D.Threads]);
        train.SetAction(parsed => Execute(commandLine, parsed));
        var tokenizer = new Command("tokenizer", "Make tokenizers.");
        tokenizer.Subcommands.Add(train);
        return tokenizer;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ModelSettings.Read(commandLine, parsed, D.TokenizerText);

        // Before the work: a folder that cannot be made is told at once.
        string path = values.Get(Output);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        OutputFile.Require(values, Output);
        string[] paths = [.. MixtureParser.Paths(values.Get(D.TokenizerText))];
        var source = new DocumentSource(Corpus.Find(paths), values.Get(D.TextField), values.Get(D.Strict));
        ByteLevelBpe model = BpeTrainer.Train(source.Read(), new BpeTrainerOptions
        {
            VocabularySize = values.Get(VocabularySize),
            MinFrequency = values.Get(MinFrequency),
            Pattern = values.Get(Pattern),
            Threads = values.Get(D.Threads),
            Progress = new ProgressLines(),
        });
        TokenizerJson.Write(path, model);
        foreach (string note in Corpus.Notes(paths))
        {
            Console.WriteLine($"note: {note}");
        }

        if (source.Skipped > 0)
        {
            Console.WriteLine($"note: skipped {source.Skipped} rows without text (first: {source.FirstSkipped}); --strict refuses them");
        }

        if (model.VocabularySize < values.Get(VocabularySize))
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"note: fewer than the {values.Get(VocabularySize):N0} tokens of --vocab-size: no further pair occurs {values.Get(MinFrequency):N0} times or more in the text (--min-frequency); more text has more"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model.VocabularySize:N0} tokens, written to {path}"));
        return ExitCode.Success;
    }

    /// <summary>A line every few seconds: the training of a large vocabulary takes minutes.</summary>
    private sealed class ProgressLines : IProgress<BpeTrainingProgress>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);

        private readonly System.Diagnostics.Stopwatch _watch = System.Diagnostics.Stopwatch.StartNew();

        public void Report(BpeTrainingProgress value)
        {
            if (_watch.Elapsed >= Interval)
            {
                _watch.Restart();
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"{value.BytesCounted / 1e6:N0} MB read, {value.Words:N0} words, {value.Tokens:N0} tokens"));
            }
        }
    }
}
