using System.Text;
using System.Text.Json;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Fields of a JSON file by name, with errors that say which.</summary>
internal static class JsonFields
{
    private const int Shown = 60;

    /// <summary>The field, null when it is absent or null.</summary>
    public static JsonElement? Field(this JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement field) && field.ValueKind != JsonValueKind.Null
            ? field
            : null;

    public static JsonElement Required(this JsonElement json, string name) =>
        json.Field(name) ?? throw new UsageException($"\"{name}\" is missing");

    /// <summary>The text of a JSON string.</summary>
    public static string Text(this JsonElement json, string name)
    {
        if (json.ValueKind != JsonValueKind.String)
        {
            throw new UsageException($"\"{name}\" must be a string, not {Show(json)}");
        }

        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new UsageException($"\"{name}\" holds half of a surrogate pair");
        }
    }

    public static string TextField(this JsonElement json, string name, string? missing = null) =>
        json.Field(name) is JsonElement field ? field.Text(name) : missing ?? throw new UsageException($"\"{name}\" is missing");

    public static byte[] Utf8Field(this JsonElement json, string name) => Encoding.UTF8.GetBytes(json.TextField(name));

    public static bool Flag(this JsonElement json, string name, bool missing = false) => json.Field(name) switch
    {
        null => missing,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        JsonElement other => throw new UsageException($"\"{name}\" must be true or false, not {Show(other)}"),
    };

    /// <summary>A whole number from 0 to <paramref name="max"/>.</summary>
    public static int Number(this JsonElement json, string name, int max) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetInt32(out int value) && value >= 0 && value <= max
            ? value
            : throw new UsageException($"\"{name}\" must be a whole number from 0 to {max}, not {Show(json)}");

    /// <summary>The "type" of a component, or why it has none.</summary>
    public static string TypeName(this JsonElement json) => json.ValueKind == JsonValueKind.Object
        ? json.TextField("type")
        : throw new UsageException($"a component must be an object, not {Show(json)}");

    public static JsonElement.ArrayEnumerator Items(this JsonElement json, string name) => json.ValueKind == JsonValueKind.Array
        ? json.EnumerateArray()
        : throw new UsageException($"\"{name}\" must be an array, not {Show(json)}");

    /// <summary>The parts of a "Sequence", nested ones in their place; any other component is its only part.</summary>
    public static IEnumerable<JsonElement> Flatten(JsonElement component, string parts)
    {
        if (component.TypeName() != "Sequence")
        {
            return [component];
        }

        return component.Required(parts).Items(parts).SelectMany(part => Flatten(part, parts));
    }

    public static string Show(JsonElement json) => json.ValueKind == JsonValueKind.Undefined ? "nothing" : Show(json.GetRawText());

    /// <summary>A text of the file for a message: one line, not too long.</summary>
    public static string Show(string text)
    {
        var shown = new StringBuilder();
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, Shown)))
        {
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '?' : c);
        }

        return text.Length > Shown ? shown.Append("...").ToString() : shown.ToString();
    }
}
