using System.Text;
using System.Xml;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>
/// Readable text of a .NET XML documentation file (ECMA-334, annex "Documentation comments"): per member a heading
/// "Type.Member", its summary and remarks, a line per parameter, and what it returns. Tags are flattened, references become
/// short names, white space is normalized; members without text, exceptions and examples are left out.
/// </summary>
internal sealed class XmlDocumentationText
{
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
        XmlResolver = null,
        CloseInput = false,
    };

    private readonly StringBuilder _summary = new();
    private readonly StringBuilder _details = new();
    private readonly StringBuilder _returns = new();

    private XmlDocumentationText()
    {
    }

    /// <summary>The texts of one file's members in its order, first the assembly's name; each ends with an empty line.</summary>
    /// <param name="seen">Hashes of the texts given so far: a text (heading aside) is given once.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="RunFailedException">The file is no well-formed XML documentation.</exception>
    public static IEnumerable<string> Read(Stream xml, string path, HashSet<UInt128> seen)
    {
        using var reader = XmlReader.Create(xml, Settings);
        var text = new XmlDocumentationText();
        bool any = Advance(reader, path);
        if (!any || !TryMoveToRoot(reader, path))
        {
            throw new InvalidFileException(path, "no XML documentation: its root element is not <doc>");
        }

        while (Advance(reader, path))
        {
            if (reader.NodeType != XmlNodeType.Element)
            {
                continue;
            }

            string? member = null;
            if (reader.Name == "member")
            {
                member = text.Member(reader, path, seen);
            }
            else if (reader.Name == "assembly")
            {
                member = text.Assembly(reader, path);
            }

            if (member is not null)
            {
                yield return member;
            }
        }
    }

    /// <summary>Whether the root element is that of a documentation file; also false for files that are no XML.</summary>
    public static bool IsDocumentation(CorpusFile file)
    {
        try
        {
            using FileStream source = RegularFile.OpenRead(file.Path, 1 << 16);
            using Stream content = file.IsGzip ? new WholeGzipStream(source) : source;
            using var reader = XmlReader.Create(content, Settings);
            return reader.MoveToContent() == XmlNodeType.Element && reader.Name == "doc";
        }
        catch (Exception e) when (e is XmlException or InvalidDataException)
        {
            return false;
        }
    }

    private static bool TryMoveToRoot(XmlReader reader, string path)
    {
        while (reader.NodeType != XmlNodeType.Element)
        {
            if (!Advance(reader, path))
            {
                return false;
            }
        }

        return reader.Name == "doc";
    }

    private static bool Advance(XmlReader reader, string path)
    {
        try
        {
            return reader.Read();
        }
        catch (XmlException e)
        {
            throw new InvalidFileException(path, $"line {e.LineNumber}: broken XML: {e.Message}", e);
        }
    }

    private string? Assembly(XmlReader reader, string path)
    {
        _summary.Clear();
        Flatten(reader, path, _summary);
        return _summary.Length == 0 ? null : $"{_summary}\n\n";
    }

    private string? Member(XmlReader reader, string path, HashSet<UInt128> seen)
    {
        string? id = reader.GetAttribute("name");
        if (id is null || reader.IsEmptyElement)
        {
            return null;
        }

        _summary.Clear();
        _details.Clear();
        _returns.Clear();
        int depth = reader.Depth;
        while (Advance(reader, path) && reader.Depth > depth)
        {
            if (reader.NodeType != XmlNodeType.Element)
            {
                continue;
            }

            switch (reader.Name)
            {
                case "summary" or "remarks":
                    Section(reader, path, _summary, heading: null);
                    break;
                case "param" or "typeparam":
                    Section(reader, path, _details, reader.GetAttribute("name"));
                    break;
                case "returns" or "value":
                    Section(reader, path, _returns, "Returns");
                    break;
                default:
                    Skip(reader, path);
                    break;
            }
        }

        if (_summary.Length + _details.Length + _returns.Length == 0)
        {
            return null;
        }

        string body = $"{_summary}{_details}{_returns}";
        return seen.Add(TextHash.Of(body)) ? $"{XmlDocumentationName.Heading(id)}\n{body}\n" : null;
    }

    private static void Section(XmlReader reader, string path, StringBuilder text, string? heading)
    {
        int start = text.Length;
        Flatten(reader, path, text);
        if (text.Length == start)
        {
            return;
        }

        text.Append('\n');
        if (heading is not null)
        {
            text.Insert(start, $"{heading}: ");
        }
    }

    /// <summary>Moves past the current element; on return the reader is at its end tag (or at the empty element).</summary>
    private static void Skip(XmlReader reader, string path)
    {
        if (reader.IsEmptyElement)
        {
            return;
        }

        int depth = reader.Depth;
        while (Advance(reader, path) && reader.Depth > depth)
        {
        }
    }

    /// <summary>Appends the text inside the current element as one or more lines, without a line end at its end.</summary>
    private static void Flatten(XmlReader reader, string path, StringBuilder text)
    {
        if (reader.IsEmptyElement)
        {
            return;
        }

        int start = text.Length;
        int depth = reader.Depth;
        while (Advance(reader, path) && reader.Depth > depth)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    AppendNormalized(text, start, reader.Value);
                    break;
                case XmlNodeType.Element when reader.Name is "code" or "example":
                    Skip(reader, path);
                    break;
                case XmlNodeType.Element when IsBlock(reader.Name):
                    BreakLine(text, start);
                    break;
                case XmlNodeType.Element when reader.IsEmptyElement || reader.Name is "see" or "seealso":
                    Reference(reader, path, text);
                    break;
                case XmlNodeType.EndElement when IsBlock(reader.Name):
                    BreakLine(text, start);
                    break;
                case XmlNodeType.EndElement when reader.Name == "term":
                    TrimEnd(text, start);
                    text.Append(": ");
                    break;
            }
        }

        TrimEnd(text, start);
    }

    private static bool IsBlock(string element) =>
        element is "para" or "p" or "list" or "listheader" or "item" or "li" or "ul" or "ol" or "br" or "div" or "table" or "tr";

    /// <summary>A reference's own text, or else the short name of what it refers to.</summary>
    private static void Reference(XmlReader reader, string path, StringBuilder text)
    {
        string name = XmlDocumentationName.Short(reader.GetAttribute("cref"))
            ?? reader.GetAttribute("langword")
            ?? reader.GetAttribute("name")
            ?? reader.GetAttribute("href")
            ?? XmlDocumentationName.Short(reader.GetAttribute("uid"))
            ?? string.Empty;
        int start = text.Length;
        Flatten(reader, path, text);
        if (text.Length == start)
        {
            text.Append(name);
        }
    }

    private static void AppendNormalized(StringBuilder text, int start, string value)
    {
        bool space = text.Length > start && text[^1] is ' ' or '\n';
        foreach (char c in value)
        {
            if (!char.IsWhiteSpace(c))
            {
                text.Append(c);
                space = false;
            }
            else if (!space && text.Length > start)
            {
                text.Append(' ');
                space = true;
            }
        }
    }

    private static void BreakLine(StringBuilder text, int start)
    {
        TrimEnd(text, start);
        if (text.Length > start)
        {
            text.Append('\n');
        }
    }

    private static void TrimEnd(StringBuilder text, int start)
    {
        int end = text.Length;
        while (end > start && text[end - 1] is ' ' or '\n')
        {
            end--;
        }

        text.Length = end;
    }
}
