using System.Text;
using System.Xml;
using System.Xml.Linq;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>
/// Readable text of a .NET XML documentation file (ECMA-334, annex "Documentation comments"): per member a heading
/// "Type.Member", its summary and remarks, a line per parameter, and what it returns. Tags are flattened, references become
/// short names, white space is normalized; members without text, exceptions and examples are left out.
/// </summary>
internal static class XmlDocumentationText
{
    /// <summary>Elements nested deeper than any documentation are taken by their text alone.</summary>
    private const int MaxDepth = 100;

    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
        XmlResolver = null,
        CloseInput = false,
    };

    /// <summary>The texts of one file's members in its order, first the assembly's name; each ends with an empty line.</summary>
    /// <param name="seen">Hashes of the texts given so far: a text (heading aside) is given once.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="RunFailedException">The file is no well-formed XML documentation.</exception>
    public static IEnumerable<string> Read(Stream xml, string path, HashSet<UInt128> seen)
    {
        using var reader = XmlReader.Create(xml, Settings);
        if (!Try(path, () => IsAtDocumentation(reader)))
        {
            throw new InvalidFileException(path, "no XML documentation: its root element is not <doc>");
        }

        while (!reader.EOF)
        {
            bool isText = reader.NodeType == XmlNodeType.Element && reader.Name is "member" or "assembly";
            if (!isText)
            {
                Try(path, reader.Read);
                continue;
            }

            var element = (XElement)Try(path, () => XNode.ReadFrom(reader));
            string? text = element.Name == "member" ? Member(element, seen) : Line(null, element, "\n\n");
            if (!string.IsNullOrEmpty(text))
            {
                yield return text;
            }
        }
    }

    /// <summary>Whether the root element is that of a documentation file; also false for files that are no XML.</summary>
    public static bool IsDocumentation(CorpusFile file)
    {
        try
        {
            using FileStream source = RegularFile.OpenRead(file.Path, 1 << 16);
            using Stream content = DecompressedStream.Open(file, source);
            using var reader = XmlReader.Create(content, Settings);
            return IsAtDocumentation(reader);
        }
        catch (Exception e) when (e is XmlException or InvalidDataException or InvalidFileException)
        {
            return false;
        }
    }

    private static bool IsAtDocumentation(XmlReader reader) => reader.MoveToContent() == XmlNodeType.Element && reader.Name == "doc";

    private static T Try<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (XmlException e)
        {
            throw new InvalidFileException(path, $"line {e.LineNumber}: broken XML: {e.Message}", e);
        }
    }

    private static string? Member(XElement member, HashSet<UInt128> seen)
    {
        string summary = string.Empty;
        string details = string.Empty;
        string returns = string.Empty;
        foreach (XElement section in member.Elements())
        {
            switch (section.Name.LocalName)
            {
                case "summary" or "remarks":
                    summary += Line(null, section, "\n");
                    break;
                case "param" or "typeparam":
                    details += Line(Attribute(section, "name"), section, "\n");
                    break;
                case "returns" or "value":
                    returns += Line("Returns", section, "\n");
                    break;
            }
        }

        string body = summary + details + returns;
        return Attribute(member, "name") is { } id && body.Length > 0 && seen.Add(TextHash.Of(body)) ? $"{XmlDocumentationName.Heading(id)}\n{body}\n" : null;
    }

    /// <summary>An element's text behind a heading; empty without text.</summary>
    private static string Line(string? heading, XElement element, string end)
    {
        string text = Flatten(element, depth: 0);
        return text.Length == 0 ? string.Empty : heading is null ? text + end : $"{heading}: {text}{end}";
    }

    /// <summary>The text inside an element as one or more lines, without a line end at its end.</summary>
    private static string Flatten(XElement element, int depth)
    {
        var text = new StringBuilder();
        Append(element, text, depth);
        TrimEnd(text);
        return text.ToString();
    }

    private static void Append(XElement element, StringBuilder text, int depth)
    {
        foreach (XNode node in element.Nodes())
        {
            string name = (node as XElement)?.Name.LocalName ?? string.Empty;
            switch (node)
            {
                case XText part:
                    AppendNormalized(text, part.Value);
                    break;
                case XElement when name is "code" or "example":
                    break;
                case XElement part when depth == MaxDepth:
                    AppendNormalized(text, part.Value);
                    break;
                case XElement part when IsBlock(name):
                    BreakLine(text);
                    Append(part, text, depth + 1);
                    BreakLine(text);
                    break;
                case XElement part when part.IsEmpty || name is "see" or "seealso":
                    string own = Flatten(part, depth + 1);
                    text.Append(own.Length > 0 ? own : Reference(part));
                    break;
                case XElement part:
                    Append(part, text, depth + 1);
                    if (name == "term")
                    {
                        TrimEnd(text);
                        text.Append(": ");
                    }

                    break;
            }
        }
    }

    private static bool IsBlock(string element) =>
        element is "para" or "p" or "list" or "listheader" or "item" or "li" or "ul" or "ol" or "br" or "div" or "table" or "tr";

    /// <summary>The short name of what an element without text refers to.</summary>
    private static string? Reference(XElement element) => XmlDocumentationName.Short(Attribute(element, "cref"))
        ?? Attribute(element, "langword")
        ?? Attribute(element, "name")
        ?? Attribute(element, "href")
        ?? XmlDocumentationName.Short(Attribute(element, "uid"));

    private static string? Attribute(XElement element, string name) => element.Attribute(name)?.Value;

    private static void AppendNormalized(StringBuilder text, string value)
    {
        foreach (char c in value)
        {
            bool space = char.IsWhiteSpace(c);
            if (!space || (text.Length > 0 && text[^1] is not (' ' or '\n')))
            {
                text.Append(space ? ' ' : c);
            }
        }
    }

    private static void BreakLine(StringBuilder text)
    {
        TrimEnd(text);
        if (text.Length > 0)
        {
            text.Append('\n');
        }
    }

    private static void TrimEnd(StringBuilder text)
    {
        while (text.Length > 0 && text[^1] is ' ' or '\n')
        {
            text.Length--;
        }
    }
}
