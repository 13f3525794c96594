using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Patterns;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads {"Regex": ...} or {"String": ...}.</summary>
internal static class PatternReader
{
    /// <param name="json">The component with a field "pattern".</param>
    public static ITextMatcher Read(JsonElement json)
    {
        JsonElement pattern = json.Required("pattern");
        if (pattern.Field("Regex") is JsonElement regex)
        {
            return UsualPatterns.Matcher(regex.Text("Regex"));
        }

        byte[] literal = ReadLiteral(pattern);
        return literal.Length > 0 ? new LiteralMatcher(literal) : throw new UsageException("\"pattern\" is empty");
    }

    /// <summary>The text of {"String": ...}.</summary>
    public static byte[] ReadLiteral(JsonElement pattern) => Encoding.UTF8.GetBytes(
        pattern.Field("String") is JsonElement literal
            ? literal.Text("String")
            : throw new UsageException($"\"pattern\" must be {{\"String\": ...}} or {{\"Regex\": ...}}, not {JsonFields.Show(pattern)}"));
}
