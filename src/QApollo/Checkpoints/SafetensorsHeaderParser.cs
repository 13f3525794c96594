using System.Text.Json;

namespace QApollo.Checkpoints;

/// <summary>Reads a <see cref="SafetensorsHeader"/> and checks that it describes exactly the bytes that follow it.</summary>
internal sealed class SafetensorsHeaderParser
{
    private readonly string path;
    private readonly long dataBytes;
    private readonly Dictionary<string, SafetensorsEntry> entries = [];
    private readonly Dictionary<string, string> metadata = [];

    private SafetensorsHeaderParser(string path, long dataBytes)
    {
        this.path = path;
        this.dataBytes = dataBytes;
    }

    /// <param name="json">The header without its length.</param>
    /// <param name="dataBytes">Bytes of the file after the header.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InvalidFileException">The header is broken, or does not fit the data.</exception>
    public static SafetensorsHeader Parse(ReadOnlyMemory<byte> json, long dataBytes, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return new SafetensorsHeaderParser(path, dataBytes).Parse(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new InvalidFileException(path, "the header is not valid JSON", e);
        }
        catch (InvalidOperationException e)
        {
            // What JsonElement throws for a string that is not valid UTF-8 or UTF-16.
            throw new InvalidFileException(path, "the header contains text that is not valid Unicode", e);
        }
    }

    private SafetensorsHeader Parse(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidFileException(path, "the header is not a JSON object");
        }

        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.NameEquals(SafetensorsHeader.MetadataName))
            {
                ParseMetadata(property.Value);
            }
            else if (!entries.TryAdd(property.Name, ParseEntry(property.Name, property.Value)))
            {
                throw Wrong(property.Name, "appears twice");
            }
        }

        SafetensorsEntry[] ordered = [.. entries.Values.OrderBy(entry => entry.Offset).ThenBy(entry => entry.ByteLength)];
        CheckContiguous(ordered);
        return new SafetensorsHeader(ordered, metadata);
    }

    private void ParseMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidFileException(path, $"{SafetensorsHeader.MetadataName} is not a JSON object");
        }

        foreach (JsonProperty property in value.EnumerateObject())
        {
            metadata[property.Name] = property.Value.ValueKind == JsonValueKind.String
                ? property.Value.GetString()!
                : throw new InvalidFileException(path, $"{SafetensorsHeader.MetadataName} contains a value that is not a string");
        }
    }

    private SafetensorsEntry ParseEntry(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(name, "is not described by a JSON object");
        }

        SafetensorsDType dtype = ParseDType(name, Member(name, value, "dtype"));
        long[] shape = Integers(name, Member(name, value, "shape"), "shape");
        long[] offsets = Integers(name, Member(name, value, "data_offsets"), "data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
        {
            throw Wrong(name, "data_offsets are not [begin, end] with begin <= end");
        }

        if (offsets[1] > dataBytes)
        {
            throw Wrong(name, $"ends at byte {offsets[1]} of the data, but the file holds only {dataBytes}; it is truncated or damaged");
        }

        var declaration = new SafetensorsDeclaration(name, dtype, shape);
        long expected = ByteLength(declaration);
        if (expected != offsets[1] - offsets[0])
        {
            throw Wrong(name, $"{dtype.FormatName()}[{string.Join(", ", shape)}] needs {expected} bytes, but data_offsets span {offsets[1] - offsets[0]}");
        }

        return new SafetensorsEntry(declaration, offsets[0]);
    }

    private SafetensorsDType ParseDType(string name, JsonElement value)
    {
        string? text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return SafetensorsDTypeExtensions.Parse(text)
            ?? throw Wrong(name, $"dtype {Shown(value.GetRawText())} is not supported; there are {string.Join(", ", Enum.GetValues<SafetensorsDType>().Select(d => d.FormatName()))}");
    }

    private JsonElement Member(string tensor, JsonElement value, string name)
    {
        JsonElement? found = null;
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (property.NameEquals(name))
            {
                found = found is null ? property.Value : throw Wrong(tensor, $"has {name} twice");
            }
        }

        return found ?? throw Wrong(tensor, $"has no {name}");
    }

    private long[] Integers(string tensor, JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Wrong(tensor, $"{name} is not a list of integers");
        }

        long[] integers = new long[value.GetArrayLength()];
        int count = 0;
        foreach (JsonElement element in value.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt64(out integers[count]) || integers[count] < 0)
            {
                throw Wrong(tensor, $"{name} contains {Shown(element.GetRawText())}; expected integers from 0 to {long.MaxValue}");
            }

            count++;
        }

        return integers;
    }

    private long ByteLength(SafetensorsDeclaration declaration)
    {
        try
        {
            return declaration.ByteLength;
        }
        catch (OverflowException e)
        {
            throw new InvalidFileException(path, $"tensor '{Shown(declaration.Name)}': a shape of that size has more bytes than a file can hold", e);
        }
    }

    private void CheckContiguous(SafetensorsEntry[] ordered)
    {
        long end = 0;
        foreach (SafetensorsEntry entry in ordered)
        {
            if (entry.Offset != end)
            {
                throw Wrong(entry.Name, entry.Offset < end
                    ? $"begins at byte {entry.Offset} of the data, inside the tensor before it, which ends at {end}"
                    : $"begins at byte {entry.Offset} of the data; bytes {end} to {entry.Offset - 1} belong to no tensor");
            }

            end += entry.ByteLength;
        }

        if (end != dataBytes)
        {
            throw new InvalidFileException(path, $"{dataBytes - end} bytes follow the last tensor");
        }
    }

    private InvalidFileException Wrong(string tensor, string fault) => new(path, $"tensor '{Shown(tensor)}': {fault}");

    /// <summary>Text of the file on one line, without control characters, and not longer than a message can bear.</summary>
    internal static string Shown(string text)
    {
        string line = string.Concat(text.Take(100).Select(c => char.IsControl(c) ? '?' : c));
        return text.Length <= 100 ? line : line + "...";
    }
}
