using System.Buffers;
using System.Text;
using QApollo.Checkpoints;
using QApollo.Cli.Views;
using QApollo.Data.Tokenizers;
using QApollo.Models;
using QApollo.Training;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Finds what belongs to a trained model: its tokenizer and the options it was trained with.</summary>
internal static class ModelSettings
{
    /// <summary>The options of the run that saved the model; null for a model from elsewhere.</summary>
    public static OptionValues? RunOptions(ModelFolder folder) => RunOptions(folder.Path, folder.State);

    private static OptionValues? RunOptions(string folder, RunState? state)
    {
        string run = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(folder)) ?? string.Empty, "run.json");
        if (state is null || !File.Exists(run))
        {
            return null;
        }

        var errors = new List<string>();
        var values = new OptionValues(T.All);
        values.MergeJson(run, errors);
        return errors.Count == 0 ? values : null;
    }

    /// <summary>
    /// The tokenizer of --tokenizer; without it that of the folder whose weights are trained on (of a run: the run's), and bytes
    /// where weights are initialized. Sets the option, so that the run's record has it.
    /// </summary>
    /// <exception cref="UsageException">There is none, or it cannot be used.</exception>
    public static ITokenizer TrainingTokenizer(OptionValues values)
    {
        if (values.IsGiven(D.Tokenizer) || TrainSettings.WeightsFolder(values) is not { } folder)
        {
            return TokenizerLoader.Load(values.Get(D.Tokenizer), values.Get(D.SpecialTokens));
        }

        // Without the weights: those of a checkpoint are compared with their checksums when they are opened.
        string statePath = Path.Combine(folder, CheckpointFolder.StateFile);
        RunState? state = File.Exists(Path.Combine(folder, CheckpointFolder.CompletionFile)) ? RunState.Read(statePath) : null;
        LlamaConfig config = LlamaConfigJson.Read(Path.Combine(folder, CheckpointFolder.ConfigFile));
        ITokenizer tokenizer = FindTokenizer(values, null, folder, config, state, out string name);
        values.Set(D.Tokenizer, name);
        return tokenizer;
    }

    /// <summary>Says when sequences are longer than those that the model was made for.</summary>
    /// <param name="loaded">Of the weights that are trained on; null when they are initialized.</param>
    public static void NotePositions(TrainingOptions options, LlamaConfig? loaded, TextWriter notes)
    {
        int positions = loaded?.MaxPositionEmbeddings ?? options.Model.MaxPositionEmbeddings;
        if (options.Shape.SequenceLength > positions)
        {
            notes.WriteLine(
                $"warning: sequences of {options.Shape.SequenceLength} tokens are longer than the model's {positions} positions (max_position_embeddings)"
                + (loaded is null ? string.Empty : "; the weights have never seen the later ones, and a scaling of the rotary embedding (rope_scaling) is usual"));
        }
    }

    /// <summary>What stands around each document, in words.</summary>
    public static string DocumentMarks(ITokenizer tokenizer)
    {
        string Show(int id)
        {
            var text = new ArrayBufferWriter<byte>();
            tokenizer.Decode([id], text);
            return text.WrittenCount == 0 ? $"token {id}" : $"{Printable.OnOneLine(Encoding.UTF8.GetString(text.WrittenSpan))} ({id})";
        }

        return (tokenizer.BeginOfDocument is int start ? $"begin with {Show(start)}, " : "begin with their text, ") + $"end with {Show(tokenizer.EndOfDocument)}";
    }

    /// <summary>The tokenizer of --tokenizer; without it that of the run, or the one in the model's folder.</summary>
    /// <exception cref="UsageException">It is not the one that the model was trained with, or cannot be found.</exception>
    public static ITokenizer FindTokenizer(OptionValues values, ModelFolder folder) =>
        FindTokenizer(values, values.GetText(M.Tokenizer), folder.Path, folder.Config, folder.State, out _);

    private static ITokenizer FindTokenizer(
        OptionValues values, string? given, string folder, LlamaConfig config, RunState? state, out string name)
    {
        OptionValues? run = RunOptions(folder, state);
        name = given ?? OwnTokenizer(folder, state);
        SpecialTokenMode special = run is null || values.IsGiven(D.SpecialTokens) ? values.Get(D.SpecialTokens) : run.Get(D.SpecialTokens);
        ITokenizer tokenizer = TokenizerLoader.Load(name, special);
        if (state is not null && state.TokenizerFingerprint != tokenizer.Fingerprint)
        {
            throw new UsageException($"--tokenizer: {folder} was trained with another tokenizer than {name} ({tokenizer.Description}); pass that one");
        }

        RequireVocabulary(tokenizer, config, folder);
        return tokenizer;
    }

    /// <summary>What <see cref="FindTokenizer(OptionValues, ModelFolder)"/> loads: a name or a path.</summary>
    public static string TokenizerName(OptionValues values, ModelFolder folder) => values.GetText(M.Tokenizer) ?? OwnTokenizer(folder.Path, folder.State);

    /// <summary>The tokenizer that a model was trained with: a name or a path.</summary>
    private static string OwnTokenizer(string folder, RunState? state) => RunOptions(folder, state)?.Get(D.Tokenizer) ?? (state is null ? folder : "bytes");

    /// <exception cref="UsageException">The tokenizer has ids that the model has not.</exception>
    public static void RequireVocabulary(ITokenizer tokenizer, LlamaConfig config, string model)
    {
        if (tokenizer.VocabularySize > config.VocabSize)
        {
            throw new UsageException(
                $"--tokenizer: {tokenizer.Description} has {tokenizer.VocabularySize} ids, but {model} has a vocabulary of {config.VocabSize}: it belongs to another model");
        }
    }

    /// <summary>The formats of --weights; those of the files otherwise.</summary>
    public static WeightFormats Formats(OptionValues values, ModelFolder folder) =>
        values.IsGiven(M.Weights) ? folder.Formats with { Matrices = values.Get(M.Weights) } : folder.Formats;

    /// <summary>All faults of a command line at once, a missing model among them.</summary>
    /// <exception cref="UsageException">There are faults.</exception>
    public static OptionValues Read(CommandLine commandLine, System.CommandLine.ParseResult parsed, params OptionSpec[] required)
    {
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        foreach (OptionSpec spec in required)
        {
            if (!values.IsGiven(spec) && !errors.Exists(error => error.StartsWith(spec.Name + ":", StringComparison.Ordinal)))
            {
                errors.Add($"{spec.Name}: is needed; it takes {spec.RangeText}");
            }
        }

        return errors.Count == 0 ? values : throw new UsageException(string.Join(Environment.NewLine, errors));
    }
}
