using System.Text.Json.Serialization;

namespace QApollo.Data;

/// <summary>The tokenizer that made a dataset.</summary>
/// <param name="BeginOfDocument">The id before each document; absent: none.</param>
public sealed record TokenizerRecord(string Description, string Fingerprint, int VocabularySize, int EndOfDocument, int? BeginOfDocument = null)
{
    public static TokenizerRecord Of(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new TokenizerRecord(tokenizer.Description, tokenizer.Fingerprint, tokenizer.VocabularySize, tokenizer.EndOfDocument, tokenizer.BeginOfDocument);
    }
}

/// <summary>One file of text that a dataset was made of.</summary>
/// <param name="Path">Where it was when it was read.</param>
/// <param name="Bytes">Its length on disk.</param>
/// <param name="Sha256">Of the file, hexadecimal.</param>
/// <param name="Replaced">Invalid UTF-8 sequences that became U+FFFD; absent: none.</param>
/// <param name="FirstReplaced">Byte of the decompressed content where the first was; row of a .parquet.</param>
/// <param name="Skipped">Rows without text; absent: none.</param>
/// <param name="FirstSkipped">Place and fault of the first of them.</param>
public sealed record SourceRecord(
    string Path, long Bytes, string Sha256, long? Replaced = null, long? FirstReplaced = null, long? Skipped = null, string? FirstSkipped = null);

/// <summary>Tokens <paramref name="Start"/> .. <paramref name="Start"/> + <paramref name="Count"/> - 1 of a dataset's shards in a row.</summary>
public sealed record TokenRange(long Start, long Count);

/// <summary>How the validation part was chosen.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<HeldOutKind>))]
public enum HeldOutKind
{
    /// <summary>There is no validation part.</summary>
    None,

    /// <summary>Whole documents, by a hash of their text.</summary>
    Documents,

    /// <summary>The last tokens, because whole documents would not have given the fraction wanted.</summary>
    End,
}

/// <summary>The JSON beside token shards: what they are, and how to find out whether they are still that.</summary>
/// <param name="Format">Always <see cref="FormatName"/>.</param>
/// <param name="Version">Of the format; this program reads up to <see cref="CurrentVersion"/>.</param>
/// <param name="Key">Hash of content, tokenizer and options: what the dataset is cached under.</param>
/// <param name="TextBytes">UTF-8 bytes of all documents.</param>
/// <param name="Checksum">SHA-256 of this JSON with an empty checksum.</param>
/// <param name="Shards">Training shards, then those of held-out documents.</param>
public sealed record DatasetManifest(
    string Format,
    int Version,
    string Key,
    TokenizerRecord Tokenizer,
    long Documents,
    long Tokens,
    long TextBytes,
    long Replaced,
    HeldOutKind HeldOut,
    TokenRange Train,
    TokenRange Validation,
    IReadOnlyList<ShardRecord> Shards,
    IReadOnlyList<SourceRecord> Sources,
    string Checksum)
{
    public const string FormatName = "qapollo-tokens";
    public const int CurrentVersion = 1;

    /// <summary>Name of the file in the dataset's folder. It is written last: a folder without it is no finished dataset.</summary>
    public const string FileName = "dataset.json";
}

[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(DatasetManifest))]
[JsonSerializable(typeof(PreparationState))]
[JsonSerializable(typeof(HashCacheContent))]
internal sealed partial class DataJson : JsonSerializerContext;
