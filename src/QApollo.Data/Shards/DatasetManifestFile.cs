using System.Text.Json;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>Reads and writes <see cref="DatasetManifest"/>.</summary>
internal static class DatasetManifestFile
{
    /// <summary>A dataset of a million source files needs less.</summary>
    private const long MaxBytes = 1L << 30;

    /// <summary>Sets the checksum and writes.</summary>
    /// <exception cref="RunFailedException">The folder cannot be written.</exception>
    public static void Write(string folder, DatasetManifest manifest)
    {
        manifest = manifest with { Checksum = ChecksumOf(manifest) };
        using var file = new PendingFile(Path.Combine(folder, DatasetManifest.FileName));
        file.Write(JsonSerializer.SerializeToUtf8Bytes(manifest, DataJson.Default.DatasetManifest));
        file.Commit();
    }

    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, DatasetManifest.FileName));

    /// <exception cref="RunFailedException">The file is damaged, of a newer version, or cannot be read.</exception>
    public static DatasetManifest Read(string folder)
    {
        string path = Path.Combine(folder, DatasetManifest.FileName);
        try
        {
            return Parse(RegularFile.ReadAllBytes(path, MaxBytes), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <param name="path">For messages.</param>
    public static DatasetManifest Parse(ReadOnlySpan<byte> json, string path)
    {
        try
        {
            CheckVersion(json, path);
            DatasetManifest manifest = JsonSerializer.Deserialize(json, DataJson.Default.DatasetManifest)
                ?? throw new JsonException("null");
            return Fault(manifest) is { } fault ? throw new InvalidFileException(path, $"damaged: {fault}: delete the folder and prepare the data again") : manifest;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that is not valid Unicode.
            throw new InvalidFileException(path, $"damaged: {e.Message} Delete the folder and prepare the data again", e);
        }
    }

    /// <summary>First of all, because a newer version may have any other shape.</summary>
    private static void CheckVersion(ReadOnlySpan<byte> json, string path)
    {
        var reader = new Utf8JsonReader(json);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("format", out JsonElement format)
            || format.ValueKind != JsonValueKind.String
            || !format.ValueEquals(DatasetManifest.FormatName)
            || !document.RootElement.TryGetProperty("version", out JsonElement version)
            || version.ValueKind != JsonValueKind.Number
            || !version.TryGetInt32(out int number))
        {
            throw new InvalidFileException(path, "not the description of a token dataset");
        }

        if (number > DatasetManifest.CurrentVersion)
        {
            throw new InvalidFileException(
                path,
                $"written by a newer version of this program (format {number}; this one reads up to {DatasetManifest.CurrentVersion}): update it, or prepare the data again into another folder");
        }
    }

    private static string ChecksumOf(DatasetManifest manifest) =>
        SelfChecksum.Of(manifest with { Checksum = string.Empty }, DataJson.Default.DatasetManifest);

    private static string? Fault(DatasetManifest manifest)
    {
        if (ChecksumOf(manifest) != manifest.Checksum)
        {
            return "its checksum is not the one it was written with";
        }

        if (manifest.Sources.Contains(null!))
        {
            return "a source's entry is wrong";
        }

        long tokens = 0;
        foreach (ShardRecord shard in manifest.Shards)
        {
            if (shard is null || shard.Tokens < 0 || shard.File.Length == 0 || shard.File != Path.GetFileName(shard.File) || shard.File.Contains('\\'))
            {
                return "a shard's entry is wrong";
            }

            tokens += shard.Tokens;
        }

        if (tokens != manifest.Tokens)
        {
            return $"the shards have {tokens} tokens, the dataset {manifest.Tokens}";
        }

        return Inside(manifest.Train, tokens) && Inside(manifest.Validation, tokens) ? null : "a part lies outside the tokens";
    }

    private static bool Inside(TokenRange range, long tokens) =>
        range.Start >= 0 && range.Count >= 0 && range.Start <= tokens && range.Count <= tokens - range.Start;
}
