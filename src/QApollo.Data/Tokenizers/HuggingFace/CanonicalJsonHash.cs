using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>A hash of JSON values that white space, escapes and the order of fields do not change.</summary>
internal sealed class CanonicalJsonHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Adds a value; an absent one counts as null.</summary>
    public void Add(JsonElement? value)
    {
        JsonValueKind kind = value?.ValueKind ?? JsonValueKind.Null;
        _hash.AppendData([(byte)kind]);
        switch (kind)
        {
            case JsonValueKind.Object:
                // A name that occurs twice counts as it does for readers: with its last value.
                var fields = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
                foreach (JsonProperty field in value!.Value.EnumerateObject())
                {
                    fields[field.Name] = field.Value;
                }

                AddCount(fields.Count);
                foreach ((string name, JsonElement field) in fields)
                {
                    AddText(name);
                    Add(field);
                }

                break;
            case JsonValueKind.Array:
                AddCount(value!.Value.GetArrayLength());
                foreach (JsonElement item in value.Value.EnumerateArray())
                {
                    Add(item);
                }

                break;
            case JsonValueKind.String:
                AddText(value!.Value.GetString()!);
                break;
            case JsonValueKind.Number:
                AddText(value!.Value.GetRawText());
                break;
        }
    }

    public void Add(int value) => AddCount(value);

    /// <summary>SHA-256 of all that was added, hexadecimal.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();

    private void AddText(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        AddCount(utf8.Length);
        _hash.AppendData(utf8);
    }

    private void AddCount(int count)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, count);
        _hash.AppendData(bytes);
    }
}
