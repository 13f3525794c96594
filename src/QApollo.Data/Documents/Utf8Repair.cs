using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace QApollo.Data;

/// <summary>Makes bytes valid UTF-8: each maximal invalid sequence becomes U+FFFD (Unicode standard, section 3.9, "U+FFFD substitution").</summary>
internal static class Utf8Repair
{
    public static ReadOnlySpan<byte> Replacement => "\uFFFD"u8;

    /// <summary>Copies <paramref name="bytes"/> with replacements.</summary>
    /// <returns>How many sequences were replaced, and where the first was (-1: none).</returns>
    public static (long Replaced, int First) Copy(ReadOnlySpan<byte> bytes, IBufferWriter<byte> valid)
    {
        if (Utf8.IsValid(bytes))
        {
            valid.Write(bytes);
            return (0, -1);
        }

        long replaced = 0;
        int first = -1;
        int position = 0;
        while (position < bytes.Length)
        {
            int plain = bytes[position..].IndexOfAnyInRange((byte)0x80, (byte)0xFF);
            plain = plain < 0 ? bytes.Length - position : plain;
            valid.Write(bytes.Slice(position, plain));
            position += plain;
            if (position == bytes.Length)
            {
                break;
            }

            OperationStatus status = Rune.DecodeFromUtf8(bytes[position..], out _, out int consumed);
            if (status == OperationStatus.Done)
            {
                valid.Write(bytes.Slice(position, consumed));
            }
            else
            {
                valid.Write(Replacement);
                first = replaced == 0 ? position : first;
                replaced++;
            }

            position += consumed;
        }

        return (replaced, first);
    }
}
