using QApollo.Files;

namespace QApollo.Data;

/// <summary>How a file holds documents.</summary>
public enum DocumentFormat
{
    /// <summary>The file is one document (.txt, .md).</summary>
    Text = 1,

    /// <summary>Each line is a JSON object with one document in a field (.jsonl).</summary>
    JsonLines = 2,

    /// <summary>A .NET XML documentation file (.xml); its readable text is one document.</summary>
    XmlDocumentation = 3,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">Full path.</param>
/// <param name="IsGzip">The content is compressed (.gz).</param>
/// <param name="Length">Bytes on disk; 0 for what is no regular file.</param>
public sealed record CorpusFile(string Path, DocumentFormat Format, bool IsGzip, long Length)
{
    /// <summary>What can be read, for messages.</summary>
    public const string ReadableFormats = ".txt, .md, .jsonl or .xml (documentation of .NET), each also with .gz";

    /// <summary>The file at <paramref name="path"/>, or null when its extension is none of <see cref="ReadableFormats"/>.</summary>
    internal static CorpusFile? TryCreate(string path)
    {
        string name = path;
        bool gzip = HasExtension(name, ".gz");
        if (gzip)
        {
            name = name[..^3];
        }

        DocumentFormat? format =
            HasExtension(name, ".txt") || HasExtension(name, ".md") ? DocumentFormat.Text
            : HasExtension(name, ".jsonl") ? DocumentFormat.JsonLines
            : HasExtension(name, ".xml") ? DocumentFormat.XmlDocumentation
            : null;
        return format is { } known ? new CorpusFile(path, known, gzip, RegularFile.LengthOf(path)) : null;
    }

    private static bool HasExtension(string name, string extension) => name.EndsWith(extension, StringComparison.OrdinalIgnoreCase);
}
