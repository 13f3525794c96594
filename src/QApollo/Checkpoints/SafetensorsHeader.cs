using System.Buffers.Binary;
using System.Text.Json;

namespace QApollo.Checkpoints;

/// <summary>
/// The header of a safetensors file: its length (u64), then a JSON object that gives for each tensor name
/// <c>{"dtype": ..., "shape": [...], "data_offsets": [begin, end]}</c>, and under <c>__metadata__</c> strings.
/// The tensors fill the rest of the file without gap or overlap.
/// </summary>
/// <param name="Entries">In the order of their bytes in the file.</param>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    public const int LengthBytes = 8;

    /// <summary>The limit that the format's reference implementation sets.</summary>
    public const long MaxBytes = 100_000_000;

    public const string MetadataName = "__metadata__";

    private const int Alignment = 8;

    public long DataBytes => Entries.Count == 0 ? 0 : Entries[^1].Offset + Entries[^1].ByteLength;

    /// <summary>Lays tensors out one after another, those with larger elements first: every tensor is aligned then.</summary>
    /// <exception cref="ArgumentException">A name is used twice or is reserved, or an extent is negative.</exception>
    /// <exception cref="OverflowException">The tensors have more than 2^63 - 1 bytes.</exception>
    public static SafetensorsHeader Create(IEnumerable<SafetensorsDeclaration> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string> { MetadataName };
        long offset = 0;
        foreach (SafetensorsDeclaration tensor in tensors.OrderByDescending(tensor => tensor.DType.Size()))
        {
            if (!names.Add(tensor.Name))
            {
                throw new ArgumentException($"tensor '{tensor.Name}': the name is taken", nameof(tensors));
            }

            if (tensor.Shape.Any(extent => extent < 0))
            {
                throw new ArgumentException($"tensor '{tensor.Name}': negative extent in [{string.Join(", ", tensor.Shape)}]", nameof(tensors));
            }

            var entry = new SafetensorsEntry(tensor, offset);
            entries.Add(entry);
            offset = checked(offset + entry.ByteLength);
        }

        return new SafetensorsHeader(entries, metadata ?? new Dictionary<string, string>());
    }

    /// <summary>The length and the JSON text, padded with spaces so that the first tensor is aligned.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[LengthBytes]);
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            if (Metadata.Count > 0)
            {
                json.WriteStartObject(MetadataName);
                foreach (var (key, value) in Metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            foreach (SafetensorsEntry entry in Entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.DType.FormatName());
                WriteIntegers(json, "shape", entry.Declaration.Shape);
                WriteIntegers(json, "data_offsets", [entry.Offset, entry.Offset + entry.ByteLength]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (stream.Length % Alignment != 0)
        {
            stream.WriteByte((byte)' ');
        }

        byte[] bytes = stream.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - LengthBytes);
        return bytes;
    }

    private static void WriteIntegers(Utf8JsonWriter json, string name, ReadOnlySpan<long> values)
    {
        json.WriteStartArray(name);
        foreach (long value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
