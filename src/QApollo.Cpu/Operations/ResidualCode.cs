using System.Numerics;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>
/// The low bits of one group between their stored form and one signed byte for each value. Works on whole registers;
/// buffers have <see cref="GroupCode.MaxGroup"/> bytes.
/// </summary>
internal static unsafe class ResidualCode
{
    /// <summary>Where the residuals of elements from <paramref name="first"/> on are stored; null for a weight without.</summary>
    /// <param name="first">Number in the flat matrix; even where the bits are 4.</param>
    public static byte* At(in WeightMatrix weight, long first) => weight.ResidualBits switch
    {
        0 => null,
        4 => (byte*)weight.Residuals.Address + first / 2,
        _ => (byte*)weight.Residuals.Address + first,
    };

    /// <summary>One signed byte for each of the values, zeros behind them.</summary>
    /// <param name="bits">4 or 8; with 4 the count is even.</param>
    public static void Unpack(byte* stored, int bits, byte* residuals, int count)
    {
        int bytes = bits == 4 ? count / 2 : count;
        byte* packed = stackalloc byte[GroupCode.MaxGroup];
        byte* target = bits == 4 ? packed : residuals;
        new ReadOnlySpan<byte>(stored, bytes).CopyTo(new Span<byte>(target, bytes));
        new Span<byte>(target + bytes, GroupCode.MaxGroup - bytes).Clear();
        if (bits != 4)
        {
            return;
        }

        Vector<byte> sign = Vector.Create((byte)8);
        for (int i = 0; i < bytes; i += Vector<byte>.Count)
        {
            Vector.Widen(Vector.Load(packed + i), out Vector<ushort> low, out Vector<ushort> high);
            ((Spread(low) ^ sign) - sign).Store(residuals + 2 * i);
            ((Spread(high) ^ sign) - sign).Store(residuals + 2 * i + Vector<byte>.Count);
        }
    }

    /// <summary>The reverse of <see cref="Unpack"/>.</summary>
    public static void Pack(byte* residuals, int bits, byte* stored, int count)
    {
        if (bits != 4)
        {
            new ReadOnlySpan<byte>(residuals, count).CopyTo(new Span<byte>(stored, count));
            return;
        }

        byte* packed = stackalloc byte[GroupCode.MaxGroup];
        int width = Vector<ushort>.Count;
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector.Narrow(Join(Vector.Load((ushort*)(residuals + i))), Join(Vector.Load((ushort*)(residuals + i + 2 * width)))).Store(packed + i / 2);
        }

        new ReadOnlySpan<byte>(packed, count / 2).CopyTo(new Span<byte>(stored, count / 2));
    }

    /// <summary>Each byte's halves to bytes of their own, the low one first.</summary>
    private static Vector<byte> Spread(Vector<ushort> bytes) => Vector.AsVectorByte((bytes | (bytes << 4)) & Vector.Create((ushort)0x0F0F));

    /// <summary>The low halves of each pair of bytes to one byte.</summary>
    private static Vector<ushort> Join(Vector<ushort> pairs) =>
        (pairs & Vector.Create((ushort)0x0F)) | ((pairs >> 4) & Vector.Create((ushort)0xF0));
}
