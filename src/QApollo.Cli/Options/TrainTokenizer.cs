using QApollo.Checkpoints;
using QApollo.Data.Tokenizers;
using QApollo.Models;
using D = QApollo.Cli.Options.DataOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The tokenizer to train with: that of the model where it has one, unless another one is asked for.</summary>
internal static class TrainTokenizer
{
    /// <summary>Loads it, and notes it in the values.</summary>
    /// <param name="model">Null where it could not be found.</param>
    /// <param name="notes">Receives what a person should know of the choice.</param>
    /// <exception cref="UsageException">It cannot be found or used; or the model has weights, but no tokenizer that tells what its ids mean.</exception>
    public static ITokenizer Choose(OptionValues values, ModelChoice? model, ICollection<string> notes)
    {
        string? own = values.Get(T.Resume) ? null : OwnTokenizer(values.Get(T.Model));
        if (values.IsGiven(D.Tokenizer))
        {
            ITokenizer given = TokenizerLoader.Load(values.Get(D.Tokenizer), values.Get(D.SpecialTokens));
            if (model?.WeightsFolder is not null && own is not null && !IsSame(own, given, values.Get(D.SpecialTokens)))
            {
                notes.Add($"--tokenizer {values.Get(D.Tokenizer)} is not the model's own ({own}): to its weights, the ids mean other texts");
            }

            return given;
        }

        if (own is null && model?.WeightsFolder is { } folder)
        {
            throw new UsageException(
                $"--tokenizer: {folder} has weights, but no tokenizer.json or .model that tells what its ids mean; name the tokenizer (bytes is one, too)");
        }

        values.Set(D.Tokenizer, own ?? D.Tokenizer.Default!);
        return TokenizerLoader.Load(values.Get(D.Tokenizer), values.Get(D.SpecialTokens));
    }

    private static bool IsSame(string own, ITokenizer given, SpecialTokenMode special)
    {
        try
        {
            return TokenizerLoader.Load(own, special).Fingerprint == given.Fingerprint;
        }
        catch (UsageException)
        {
            // The model's own cannot be used: a reason to name another one.
            return false;
        }
    }

    /// <summary>Null for presets, and where nothing lies beside the model.</summary>
    private static string? OwnTokenizer(string model)
    {
        if (LlamaPresets.TryFind(model) is not null)
        {
            return null;
        }

        string? folder = Directory.Exists(model) ? ModelFolder.Find(model) : Path.GetDirectoryName(Path.GetFullPath(model));
        return folder is null ? null : ModelSettings.TokenizerOf(folder);
    }
}
