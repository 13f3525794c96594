using System.Text.Json;
using QApollo.Batches;
using QApollo.Files;
using QApollo.Optimizers;

namespace QApollo.Checkpoints;

/// <summary>
/// What a run must know beside weights and optimizer state to go on as if it had never stopped: a few integers, since
/// every random number is computed from them.
/// </summary>
/// <param name="Step">Updates done.</param>
/// <param name="Tokens">Counted tokens seen.</param>
/// <param name="Position">The sequence that comes next.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="TokenizerFingerprint">What the token ids mean.</param>
public sealed record RunState(int Step, long Tokens, DataPosition Position, ulong Seed, string TokenizerFingerprint)
{
    /// <summary>Tokens of the training data; 0 where the run did not say.</summary>
    public long DataTokens { get; init; }

    /// <summary>What the training data was a mixture of; empty: one source, or the run did not say.</summary>
    public string DataDescription { get; init; } = string.Empty;

    /// <summary>What the training data holds, see <see cref="Batches.IBatchSource.DataFingerprint"/>; empty where the run did not say.</summary>
    public string DataFingerprint { get; init; } = string.Empty;

    /// <summary>That the schedule gave for the next update; null where the run did not say.</summary>
    public float? NextLearningRate { get; init; }

    /// <summary>Adam's in the updates so far, noted when a checkpoint is saved; null in files of versions that took the present ones for all updates.</summary>
    public DecayHistory? Decays { get; init; }

    /// <summary>Raised when a field changes its meaning; files of a newer version are refused.</summary>
    public const int FormatVersion = 1;

    /// <summary>The text of state.json.</summary>
    public byte[] ToUtf8()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("formatVersion", FormatVersion);
            writer.WriteNumber("step", Step);
            writer.WriteNumber("tokens", Tokens);
            writer.WriteNumber("epoch", Position.Epoch);
            writer.WriteNumber("sequence", Position.Index);
            writer.WriteNumber("dataTokens", DataTokens);
            if (DataDescription.Length > 0)
            {
                writer.WriteString("data", DataDescription);
            }

            writer.WriteString("dataFingerprint", DataFingerprint);
            if (NextLearningRate is float rate)
            {
                writer.WriteNumber("nextLr", rate);
            }

            if (Decays is { } decays)
            {
                writer.WriteStartObject("decays");
                writer.WriteNumber("beta1", decays.Beta1);
                writer.WriteNumber("beta2", decays.Beta2);
                writer.WriteNumber("since", decays.Since);
                writer.WriteNumber("beta1Product", decays.Beta1Product);
                writer.WriteNumber("beta2Product", decays.Beta2Product);
                writer.WriteEndObject();
            }

            writer.WriteNumber("seed", Seed);
            writer.WriteString("tokenizer", TokenizerFingerprint);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <exception cref="InvalidFileException">The file is broken or of a newer version.</exception>
    /// <exception cref="RunFailedException">The file cannot be read.</exception>
    public static RunState Read(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        JsonElement root = document.RootElement;
        JsonFile.RequireVersion(path, root, FormatVersion);
        RunState state = JsonFile.Fields(path, () => new RunState(
            JsonFile.Require(path, root, "step").GetInt32(),
            JsonFile.Require(path, root, "tokens").GetInt64(),
            new DataPosition(JsonFile.Require(path, root, "epoch").GetInt32(), JsonFile.Require(path, root, "sequence").GetInt64()),
            JsonFile.Require(path, root, "seed").GetUInt64(),
            JsonFile.Require(path, root, "tokenizer").GetString() ?? string.Empty)
        {
            DataTokens = root.TryGetProperty("dataTokens", out JsonElement tokens) ? tokens.GetInt64() : 0,
            DataDescription = root.TryGetProperty("data", out JsonElement data) ? data.GetString() ?? string.Empty : string.Empty,
            DataFingerprint = root.TryGetProperty("dataFingerprint", out JsonElement fingerprint) ? fingerprint.GetString() ?? string.Empty : string.Empty,
            NextLearningRate = root.TryGetProperty("nextLr", out JsonElement rate) ? rate.GetSingle() : null,
            Decays = root.TryGetProperty("decays", out JsonElement decays) ? ReadDecays(path, decays) : null,
        });
        if (state.Decays is { } read && !(IsDecay(read.Beta1) && IsDecay(read.Beta2) && IsDecay(read.Beta1Product) && IsDecay(read.Beta2Product) && read.Since >= 0 && read.Since <= state.Step))
        {
            throw new InvalidFileException(path, "holds decays that are none: numbers from 0 to 1, since an update of the run");
        }

        return state is { Step: >= 0, Tokens: >= 0, DataTokens: >= 0, Position: { Epoch: >= 0, Index: >= 0 } }
            ? state
            : throw new InvalidFileException(path, "holds a count below zero");
    }

    private static DecayHistory ReadDecays(string path, JsonElement decays)
    {
        double Number(string name) => JsonFile.Require(path, decays, name).GetDouble();
        return new DecayHistory(Number("beta1"), Number("beta2"), JsonFile.Require(path, decays, "since").GetInt32(), Number("beta1Product"), Number("beta2Product"));
    }

    private static bool IsDecay(double value) => value is >= 0 and <= 1;
}
