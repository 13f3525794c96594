using System.Text.Json;

namespace QApollo.Models;

/// <summary>Values of a configuration file, or of an object in it, with errors that name file, key and value. Null is as good as absent.</summary>
internal readonly struct ConfigValues(JsonElement root, string source)
{
    public IEnumerable<string> Keys => root.EnumerateObject().Select(property => property.Name);

    public JsonElement? Find(string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public bool Has(string name) => Find(name) is not null;

    public int Integer(string name, int? whenAbsent = null)
    {
        if (Find(name) is not JsonElement value)
        {
            return whenAbsent ?? throw Wrong($"{name} is missing");
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw Wrong($"{name} is {Shown(value)}; expected an integer of at most {int.MaxValue}");
    }

    public double Number(string name, double? whenAbsent = null)
    {
        if (Find(name) is not JsonElement value)
        {
            return whenAbsent ?? throw Wrong($"{name} is missing");
        }

        return value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Wrong($"{name} is {Shown(value)}; expected a number");
    }

    public bool Flag(string name, bool whenAbsent = false) => Find(name) is not JsonElement value ? whenAbsent : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong($"{name} is {Shown(value)}; expected true or false"),
    };

    public string? Text(string name) => Find(name) is not JsonElement value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong($"{name} is {Shown(value)}; expected a text");

    /// <summary>A list of texts; null where there is none.</summary>
    public string[]? Texts(string name)
    {
        if (Find(name) is not JsonElement value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Wrong($"{name} is {Shown(value)}; expected a list of texts");
    }

    /// <summary>A model may have several end tokens; the first is the one that ends a document.</summary>
    public int? Token(string name) => Tokens(name) is [int first, ..] ? first : null;

    /// <summary>A token id, or several; none where the key is missing or null.</summary>
    public int[] Tokens(string name)
    {
        if (Find(name) is not JsonElement value)
        {
            return [];
        }

        JsonElement[] ids = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 ? [.. value.EnumerateArray()] : [value];
        var tokens = new int[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i].ValueKind != JsonValueKind.Number || !ids[i].TryGetInt32(out tokens[i]))
            {
                throw Wrong($"{name} is {Shown(ids[i])}; expected a token id");
            }
        }

        return tokens;
    }

    /// <summary>An object in the file; null where there is none.</summary>
    public ConfigValues? Object(string name)
    {
        if (Find(name) is not JsonElement value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Object
            ? new ConfigValues(value, $"{source}: {name}")
            : throw Wrong($"{name} is {Shown(value)}; expected an object");
    }

    /// <summary>The value as written, on one line and not longer than a message can bear.</summary>
    public static string Shown(JsonElement value)
    {
        string text = string.Join(' ', value.GetRawText().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return text.Length <= 80 ? text : string.Concat(text.AsSpan(0, 77), "...");
    }

    public UsageException Wrong(string what) => new($"{source}: {what}");
}
