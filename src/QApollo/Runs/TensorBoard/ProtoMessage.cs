using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace QApollo.Runs.TensorBoard;

/// <summary>A message in the wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding), field by field; empty strings are written too.</summary>
internal sealed class ProtoMessage
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public ProtoMessage Integer(int field, long value) => Tag(field, Varint).Raw((ulong)value);

    public ProtoMessage Real(int field, double value)
    {
        BinaryPrimitives.WriteDoubleLittleEndian(Tag(field, Fixed64)._bytes.GetSpan(sizeof(double)), value);
        _bytes.Advance(sizeof(double));
        return this;
    }

    public ProtoMessage Real(int field, float value)
    {
        BinaryPrimitives.WriteSingleLittleEndian(Tag(field, Fixed32)._bytes.GetSpan(sizeof(float)), value);
        _bytes.Advance(sizeof(float));
        return this;
    }

    public ProtoMessage Text(int field, string value) => Content(field, Encoding.UTF8.GetBytes(value));

    public ProtoMessage Message(int field, ProtoMessage value) => Content(field, value.Written);

    private ProtoMessage Content(int field, ReadOnlySpan<byte> content)
    {
        Tag(field, Bytes).Raw((ulong)content.Length);
        _bytes.Write(content);
        return this;
    }

    private ProtoMessage Tag(int field, int wireType) => Raw((ulong)((field << 3) | wireType));

    /// <summary>Seven bits a byte, the lowest first; all but the last have the highest bit.</summary>
    private ProtoMessage Raw(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Add((byte)(value | 0x80));
        }

        Add((byte)value);
        return this;
    }

    private void Add(byte value)
    {
        _bytes.GetSpan(1)[0] = value;
        _bytes.Advance(1);
    }
}
