using System.Text.Json;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>Sequences replaced in one source file.</summary>
internal sealed record SourceReplacements(int Source, long Count, long FirstOffset);

/// <summary>Rows of one source file that gave text, and those that were skipped.</summary>
internal sealed record SourceRows(int Source, long WithTexts, long Skipped, long Wrong, string? First = null);

/// <summary>An unfinished preparation: the shards that are on the disk, and the place in the corpus behind their last token.</summary>
/// <param name="Key">Of the dataset: another corpus, tokenizer or option cannot go on from here.</param>
/// <param name="SideHeldOut">The side of the document that <paramref name="Position"/> is inside of.</param>
/// <param name="SourceBytes">Bytes of the files read.</param>
/// <param name="Replacements">Only files in which something was replaced.</param>
/// <param name="Rows">Only files of rows; absent: none.</param>
internal sealed record PreparationState(
    int Version,
    string Key,
    CorpusPosition Position,
    bool SideHeldOut,
    long SourceBytes,
    long Documents,
    long TextBytes,
    IReadOnlyList<SourceReplacements> Replacements,
    ShardWriterState Train,
    ShardWriterState HeldOut,
    IReadOnlyList<SourceRows>? Rows = null,
    string Checksum = "")
{
    public const int CurrentVersion = 1;
    public const string FileName = "progress.json";

    private const long MaxBytes = 1L << 30;

    public static PreparationState Begin(string key) =>
        new(CurrentVersion, key, default, false, 0, 0, 0, [], ShardWriterState.Empty, ShardWriterState.Empty);

    /// <summary>The state saved in the folder; null when there is none that this program can go on from.</summary>
    public static PreparationState? TryRead(string folder)
    {
        try
        {
            byte[] json = RegularFile.ReadAllBytes(Path.Combine(folder, FileName), MaxBytes);
            return JsonSerializer.Deserialize(json, DataJson.Default.PreparationState) is { Version: CurrentVersion } state
                && state.Checksum == state.ComputeChecksum()
                ? state
                : null;
        }
        catch (Exception e) when (e is RunFailedException or IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public void Write(string folder)
    {
        using var file = new PendingFile(Path.Combine(folder, FileName));
        file.Write(JsonSerializer.SerializeToUtf8Bytes(this with { Checksum = ComputeChecksum() }, DataJson.Default.PreparationState));
        file.Commit();
    }

    private string ComputeChecksum() => SelfChecksum.Of(this with { Checksum = string.Empty }, DataJson.Default.PreparationState);
}
