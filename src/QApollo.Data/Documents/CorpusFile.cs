using QApollo.Files;

namespace QApollo.Data;

/// <summary>How a file holds documents.</summary>
public enum DocumentFormat
{
    /// <summary>The file is one document (.txt, .md).</summary>
    Text = 1,

    /// <summary>Each line is a JSON object with one document in a field (.jsonl; compressed also as .json.gz, .json.zst).</summary>
    JsonLines = 2,

    /// <summary>A .NET XML documentation file (.xml); its readable text is one document.</summary>
    XmlDocumentation = 3,

    /// <summary>Each row of an Apache Parquet file has one document in a column (.parquet).</summary>
    Parquet = 4,
}

/// <summary>How a whole file is compressed.</summary>
public enum FileCompression
{
    None = 0,

    /// <summary>RFC 1952 (.gz), one member or several.</summary>
    Gzip = 1,

    /// <summary>RFC 8878 (.zst), one frame or several, skippable ones between them.</summary>
    Zstandard = 2,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">Full path.</param>
/// <param name="Length">Bytes on disk; 0 for what is no regular file.</param>
public sealed record CorpusFile(string Path, DocumentFormat Format, FileCompression Compression, long Length)
{
    /// <summary>What can be read, for messages.</summary>
    public const string ReadableFormats = ".parquet, or .txt, .md, .jsonl or .xml (documentation of .NET), each also with .gz or .zst";

    /// <summary>UTC time of the last change when the file was found: what is read must be what was found, and hashed.</summary>
    internal DateTime Modified { get; init; }

    /// <summary>Whether the file is a table of rows, one document each.</summary>
    internal bool HasRows => Format is DocumentFormat.JsonLines or DocumentFormat.Parquet;

    /// <summary>What a row is called in messages.</summary>
    internal string RowName => Format == DocumentFormat.Parquet ? "row" : "line";

    /// <summary>The file at <paramref name="path"/>, or null when its extension is none of <see cref="ReadableFormats"/>.</summary>
    internal static CorpusFile? TryCreate(string path)
    {
        string name = path;
        FileCompression compression =
            HasExtension(name, ".gz") ? FileCompression.Gzip
            : HasExtension(name, ".zst") ? FileCompression.Zstandard
            : FileCompression.None;
        if (compression != FileCompression.None)
        {
            name = System.IO.Path.ChangeExtension(name, null);
        }

        DocumentFormat? format =
            HasExtension(name, ".txt") || HasExtension(name, ".md") ? DocumentFormat.Text
            : HasExtension(name, ".jsonl") ? DocumentFormat.JsonLines
            : HasExtension(name, ".json") && compression != FileCompression.None ? DocumentFormat.JsonLines
            : HasExtension(name, ".xml") ? DocumentFormat.XmlDocumentation
            : HasExtension(name, ".parquet") && compression == FileCompression.None ? DocumentFormat.Parquet
            : null;
        return format is { } known ? new CorpusFile(path, known, compression, RegularFile.LengthOf(path)) { Modified = RegularFile.ModifiedOf(path) } : null;
    }

    private static bool HasExtension(string name, string extension) => name.EndsWith(extension, StringComparison.OrdinalIgnoreCase);
}
