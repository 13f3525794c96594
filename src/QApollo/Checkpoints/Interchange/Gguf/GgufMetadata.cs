using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>The key/value pairs of a GGUF file: key, u32 type, value; all little-endian.</summary>
internal sealed class GgufMetadata
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    private enum ValueType : uint
    {
        UInt8 = 0,
        Int32 = 5,
        UInt32 = 4,
        Float32 = 6,
        Bool = 7,
        String = 8,
        Array = 9,
    }

    /// <summary>Pairs so far.</summary>
    public long Count { get; private set; }

    /// <summary>The pairs as they stand in the file.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    public void Add(string key, uint value)
    {
        Begin(key, ValueType.UInt32);
        WriteUInt32(value);
    }

    public void Add(string key, int value) => Add(key, checked((uint)value));

    public void Add(string key, float value)
    {
        Begin(key, ValueType.Float32);
        WriteUInt32(BitConverter.SingleToUInt32Bits(value));
    }

    public void Add(string key, bool value)
    {
        Begin(key, ValueType.Bool);
        _bytes.Write([value ? (byte)1 : (byte)0]);
    }

    public void Add(string key, string value)
    {
        Begin(key, ValueType.String);
        WriteString(Encoding.UTF8.GetBytes(value));
    }

    public void Add(string key, IReadOnlyList<byte[]> strings)
    {
        BeginArray(key, ValueType.String, strings.Count);
        foreach (byte[] text in strings)
        {
            WriteString(text);
        }
    }

    public void Add(string key, IReadOnlyList<float> values)
    {
        BeginArray(key, ValueType.Float32, values.Count);
        foreach (float value in values)
        {
            WriteUInt32(BitConverter.SingleToUInt32Bits(value));
        }
    }

    public void Add(string key, IReadOnlyList<int> values)
    {
        BeginArray(key, ValueType.Int32, values.Count);
        foreach (int value in values)
        {
            WriteUInt32((uint)value);
        }
    }

    public void Add(string key, byte[] values)
    {
        BeginArray(key, ValueType.UInt8, values.Length);
        _bytes.Write(values);
    }

    private void BeginArray(string key, ValueType elements, int count)
    {
        Begin(key, ValueType.Array);
        WriteUInt32((uint)elements);
        WriteUInt64((ulong)count);
    }

    private void Begin(string key, ValueType type)
    {
        Count++;
        WriteString(Encoding.ASCII.GetBytes(key));
        WriteUInt32((uint)type);
    }

    private void WriteString(byte[] text)
    {
        WriteUInt64((ulong)text.Length);
        _bytes.Write(text);
    }

    private void WriteUInt32(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _bytes.Write(bytes);
    }

    private void WriteUInt64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _bytes.Write(bytes);
    }
}
