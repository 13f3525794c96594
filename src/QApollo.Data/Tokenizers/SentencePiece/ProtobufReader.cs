using System.Buffers.Binary;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>Reads the fields of one protocol-buffers message in turn (protobuf.dev/programming-guides/encoding).</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;

    private ReadOnlySpan<byte> _rest = message;
    private int _wireType;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;

    public int Field { get; private set; }

    /// <summary>Goes to the next field; false at the end of the message.</summary>
    /// <exception cref="UsageException">The message is cut short or malformed.</exception>
    public bool MoveNext()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        ulong key = ReadVarint();
        _wireType = (int)(key & 7);
        if (key >> 3 is 0 or > int.MaxValue)
        {
            throw Damaged("a field has the number 0 or too large a one");
        }

        Field = (int)(key >> 3);
        switch (_wireType)
        {
            case Varint:
                _number = ReadVarint();
                break;
            case Fixed64:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case LengthDelimited:
                _bytes = Take(ReadVarint());
                break;
            case Fixed32:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw Damaged($"a field has the wire type {_wireType}");
        }

        return true;
    }

    public readonly ReadOnlySpan<byte> Bytes => _wireType == LengthDelimited ? _bytes : throw WrongType();

    public readonly float Single => _wireType == Fixed32 ? BitConverter.UInt32BitsToSingle((uint)_number) : throw WrongType();

    public readonly int Int32 => _wireType == Varint ? (int)_number : throw WrongType();

    public readonly bool Flag => _wireType == Varint ? _number != 0 : throw WrongType();

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Damaged("a number is longer than 10 bytes");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length)
        {
            throw Damaged($"a field claims {count} bytes where {_rest.Length} are left");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }

    private readonly UsageException WrongType() => Damaged($"field {Field} has the wire type {_wireType}");

    private static UsageException Damaged(string what) => new($"it is no SentencePiece model, or a damaged one: {what}");
}
