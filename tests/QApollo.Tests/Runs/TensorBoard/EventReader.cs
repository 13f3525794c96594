using System.Buffers.Binary;
using Google.Protobuf;
using Xunit;

namespace QApollo.Tests.Runs.TensorBoard;

/// <summary>A value of a summary, as an independent reader of the wire format finds it.</summary>
internal sealed record ReadValue(string Tag, float? Scalar, string? Text, string? Plugin);

/// <summary>An event file's record; the fields are those of tensorboard/compat/proto/event.proto.</summary>
internal sealed record ReadEvent(double WallTime, long Step, string? Version, IReadOnlyList<ReadValue> Values, int? SessionStatus)
{
    /// <summary>Of all event files of a folder, in the order of their names; checksums are checked bit by bit.</summary>
    public static List<ReadEvent> ReadAll(string folder) =>
    [
        .. Directory.GetFiles(folder, "events.out.tfevents.*").Order(StringComparer.Ordinal).SelectMany(file => Records(File.ReadAllBytes(file))).Select(Parse),
    ];

    public static IEnumerable<byte[]> Records(byte[] bytes)
    {
        for (int at = 0; at < bytes.Length;)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)));
            byte[] data = bytes[(at + 12)..(at + 12 + length)];
            Assert.Equal(Masked(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            Assert.Equal(Masked(data), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            yield return data;
            at += 16 + length;
        }
    }

    public static ReadEvent Parse(byte[] data)
    {
        var found = new ReadEvent(0, 0, null, [], null);
        Read(data, (field, input) => found = field switch
        {
            1 => found with { WallTime = input.ReadDouble() },
            2 => found with { Step = input.ReadInt64() },
            3 => found with { Version = input.ReadString() },
            5 => found with { Values = Messages(input.ReadBytes(), 1).Select(Value).ToList() },
            7 => found with { SessionStatus = Integer(input.ReadBytes(), 1) },
            _ => throw new InvalidDataException($"Event has no field {field} that this program writes"),
        });
        return found;
    }

    private static ReadValue Value(ByteString data)
    {
        var found = new ReadValue("", null, null, null);
        Read(data.ToByteArray(), (field, input) => found = field switch
        {
            1 => found with { Tag = input.ReadString() },
            2 => found with { Scalar = input.ReadFloat() },
            8 => found with { Text = Tensor(input.ReadBytes()) },
            9 => found with { Plugin = Messages(Messages(input.ReadBytes(), 1).Single(), 1).Single().ToStringUtf8() },
            _ => throw new InvalidDataException($"Summary.Value has no field {field} that this program writes"),
        });
        return found;
    }

    /// <summary>TensorProto of dtype DT_STRING (7), shape [1], one string.</summary>
    private static string Tensor(ByteString data)
    {
        Assert.Equal(7, Integer(data, 1));
        Assert.Equal(1, Integer(Messages(Messages(data, 2).Single(), 2).Single(), 1));
        return Messages(data, 8).Single().ToStringUtf8();
    }

    private static List<ByteString> Messages(ByteString data, int wanted)
    {
        var found = new List<ByteString>();
        Read(data.ToByteArray(), (field, input) =>
        {
            if (field == wanted)
            {
                found.Add(input.ReadBytes());
            }
            else
            {
                input.SkipLastField();
            }
        });
        return found;
    }

    private static int? Integer(ByteString data, int wanted)
    {
        int? found = null;
        Read(data.ToByteArray(), (field, input) =>
        {
            if (field == wanted)
            {
                found = input.ReadInt32();
            }
            else
            {
                input.SkipLastField();
            }
        });
        return found;
    }

    private static void Read(byte[] data, Action<int, CodedInputStream> field)
    {
        using var input = new CodedInputStream(data);
        while (input.ReadTag() is var tag && tag != 0)
        {
            field((int)(tag >> 3), input);
        }
    }

    /// <summary>From the definition, one bit at a time.</summary>
    private static uint Masked(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F63B78;
            }
        }

        crc = ~crc;
        return unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8);
    }
}
