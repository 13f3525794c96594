using QApollo.Checkpoints;
using QApollo.Data.Tokenizers;
using QApollo.Models;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Finds what belongs to a trained model: its tokenizer and the options it was trained with.</summary>
internal static class ModelSettings
{
    /// <summary>The options of the run that saved the model; null for a model from elsewhere.</summary>
    public static OptionValues? RunOptions(ModelFolder folder)
    {
        string run = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(folder.Path)) ?? string.Empty, "run.json");
        if (folder.State is null || !File.Exists(run))
        {
            return null;
        }

        var errors = new List<string>();
        var values = new OptionValues(T.All);
        values.MergeJson(run, errors);
        return errors.Count == 0 ? values : null;
    }

    /// <summary>The tokenizer of --tokenizer; without it that of the run, or the one in the model's folder.</summary>
    /// <exception cref="UsageException">It is not the one that the model was trained with, or cannot be found.</exception>
    public static ITokenizer FindTokenizer(OptionValues values, ModelFolder folder)
    {
        string name = TokenizerName(values, folder);
        ITokenizer tokenizer = TokenizerLoader.Load(name);
        if (folder.State is { } state && state.TokenizerFingerprint != tokenizer.Fingerprint)
        {
            throw new UsageException($"--tokenizer: {folder.Path} was trained with another tokenizer than {name} ({tokenizer.Description}); pass that one");
        }

        RequireVocabulary(tokenizer, folder.Config, folder.Path);
        return tokenizer;
    }

    /// <summary>What <see cref="FindTokenizer"/> loads: a name or a path.</summary>
    public static string TokenizerName(OptionValues values, ModelFolder folder) =>
        values.GetText(M.Tokenizer) ?? RunOptions(folder)?.Get(D.Tokenizer) ?? (folder.State is null ? folder.Path : "bytes");

    /// <summary>Models of this program saw documents one behind the other; others begin with their start token.</summary>
    public static int BeginToken(ModelFolder folder, ITokenizer tokenizer) =>
        folder.State is null && folder.Config.BosTokenId is int begin ? begin : tokenizer.EndOfDocument;

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
