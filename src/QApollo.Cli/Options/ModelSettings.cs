using System.Buffers;
using System.Text;
using QApollo.Checkpoints;
using QApollo.Cli.Views;
using QApollo.Cuda;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Devices;
using QApollo.Inference;
using QApollo.Models;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Finds what belongs to a trained model: its tokenizer and the options it was trained with.</summary>
internal static class ModelSettings
{
    private const int DefaultScoredLength = 256;

    /// <summary>The options of the run that saved the model; null for a model from elsewhere.</summary>
    public static OptionValues? RunOptions(ModelFolder folder) => folder.State is null ? null : RunFile.TryRead(ParentOf(folder.Path));

    /// <summary>The tokenizer of --tokenizer; without it that of the run, or the one in the model's folder.</summary>
    /// <exception cref="UsageException">It is not the one that the model was trained with, or cannot be found.</exception>
    public static ITokenizer FindTokenizer(OptionValues values, ModelFolder folder)
    {
        string name = TokenizerName(values, folder);
        OptionValues? run = RunOptions(folder);
        SpecialTokenMode special = run is null || values.IsGiven(D.SpecialTokens) ? values.Get(D.SpecialTokens) : run.Get(D.SpecialTokens);
        ITokenizer tokenizer = TokenizerLoader.Load(name, special);
        // A checkpoint's own copy is in its record of checksums; it may be another form of what the run read.
        if (folder.State is { } state && name != folder.Path && state.TokenizerFingerprint != tokenizer.Fingerprint)
        {
            throw new UsageException($"--tokenizer: {folder.Path} was trained with another tokenizer than {name} ({tokenizer.Description}); pass that one");
        }

        RequireVocabulary(tokenizer, folder.Config, folder.Path);
        return tokenizer;
    }

    /// <summary>What <see cref="FindTokenizer"/> loads: a name or a path.</summary>
    public static string TokenizerName(OptionValues values, ModelFolder folder) =>
        values.GetText(M.Tokenizer) ?? TokenizerOf(folder.Path) ?? (folder.State is null ? folder.Path : "bytes");

    /// <summary>
    /// The tokenizer that belongs to a model, as --tokenizer takes it: of a run's checkpoint that of the run, as long as it is there, of
    /// others the one in its folder.
    /// </summary>
    /// <param name="folder">Of the model's files, as <see cref="ModelFolder.Find"/> gives it.</param>
    /// <returns>Null where there is none.</returns>
    public static string? TokenizerOf(string folder)
    {
        bool isCheckpoint = File.Exists(Path.Combine(folder, CheckpointFolder.StateFile));
        string? own = isCheckpoint ? RunFile.TryRead(ParentOf(folder))?.Get(D.Tokenizer) : null;
        bool isThere = own is not null && (TokenizerLoader.IsName(own) || Path.Exists(own) || !TokenizerLoader.HoldsTokenizer(folder));
        return isThere ? own : TokenizerLoader.HoldsTokenizer(folder) ? folder : null;
    }

    /// <summary>
    /// What stands around documents. Models of this program saw them one behind the other; those from elsewhere begin as their
    /// tokenizer says.
    /// </summary>
    public static DocumentTokens DocumentTokens(ITokenizer tokenizer, LlamaConfig config, bool isTrainedHere) =>
        new(tokenizer.BeginOfDocument ?? (isTrainedHere ? tokenizer.EndOfDocument : null), tokenizer.EndOfDocument, config.MaxPositionEmbeddings);

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

    /// <exception cref="UsageException">The tokenizer has ids that the model has not.</exception>
    public static void RequireVocabulary(ITokenizer tokenizer, LlamaConfig config, string model)
    {
        if (tokenizer.VocabularySize > config.VocabSize)
        {
            throw new UsageException(
                $"--tokenizer: {tokenizer.Description} has {tokenizer.VocabularySize} ids, but {model} has a vocabulary of {config.VocabSize}: it belongs to another model");
        }
    }

    /// <summary>How long sequences are scored: as the run trained on them; for models from elsewhere, at most what they attend to.</summary>
    public static int ScoredLength(ModelFolder folder) => RunOptions(folder)?.Get(T.SeqLen)
        ?? Math.Min(DefaultScoredLength, Math.Min(folder.Config.MaxPositionEmbeddings, folder.Config.SlidingWindow ?? int.MaxValue));

    /// <summary>Says that a limit of tokens is not reached since sequences are scored whole; null where it is, or does not matter.</summary>
    public static string? WholeSequences(OptionSpec<long> limit, OptionValues values, ValidationBatches batches)
    {
        long most = values.Get(limit);
        long scored = batches.SequenceCount * batches.SequenceLength;
        return batches.SequenceCount < batches.AllSequences && scored < most
            ? FormattableString.Invariant($"{limit.Name} {most:N0}: {scored:N0} are scored, in {batches.SequenceCount:N0} whole sequences of {batches.SequenceLength:N0}")
            : null;
    }

    /// <summary>The formats of --weights; those of the files otherwise.</summary>
    public static WeightFormats Formats(OptionValues values, ModelFolder folder) =>
        values.IsGiven(M.Weights) ? folder.Formats with { Matrices = values.Get(M.Weights) } : folder.Formats;

    /// <summary>Options with the layers where --layers says; without it on the device if they fit there, else in host memory.</summary>
    public static InferenceOptions Place(OptionValues values, InferenceOptions options, IDevice device)
    {
        if (values.IsGiven(M.LayersIn))
        {
            return options with { Layers = new LayerPlacement(values.Get(M.LayersIn)) };
        }

        if (device is not CudaDevice card || new InferenceLayout(options, device.Profile).Plan.DeviceArenaBytes <= card.MemoryInfo().Free)
        {
            return options;
        }

        Console.Error.WriteLine("layers: in host memory (the model does not fit the GPU's; slower, as each token waits for all of them)");
        return options with { Layers = new LayerPlacement(MemorySpace.PinnedHost) };
    }

    private static string ParentOf(string folder) => Path.GetDirectoryName(Path.GetFullPath(folder)) ?? folder;

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
