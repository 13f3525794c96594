using System.Numerics;
using System.Runtime.CompilerServices;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>The update of F32 or BF16 values; see <see cref="IDevice.ApplyUpdate"/>. Task: some rows.</summary>
internal unsafe struct DenseUpdateJob : IJob
{
    private const int Chunk = 256;

    public Tensor Weight;
    public Tensor Gradient;
    public float* Coefficients;
    public ChannelAxis Axis;
    public UpdateScalars Scalars;
    public long* Changed;
    public int RowsPerTask;

    [SkipLocalsInit]
    public readonly void Run(int task, int worker)
    {
        float* gradientBuffer = stackalloc float[Chunk];
        float* coefficients = stackalloc float[Chunk];
        float* values = stackalloc float[Chunk];
        uint* words = stackalloc uint[Chunk + PhiloxWords.Slack];
        int columns = Weight.Columns;
        int changed = 0;
        int end = Math.Min((task + 1) * RowsPerTask, Weight.Rows);
        for (int row = task * RowsPerTask; row < end; row++)
        {
            if (Axis != ChannelAxis.Columns)
            {
                float coefficient = Coefficients[Axis == ChannelAxis.Rows ? row : 0];
                if (coefficient == 0f)
                {
                    continue;
                }

                new Span<float>(coefficients, Chunk).Fill(coefficient);
            }

            for (int column = 0; column < columns; column += Chunk)
            {
                int count = Math.Min(Chunk, columns - column);
                long first = (long)row * columns + column;
                float* c = Axis == ChannelAxis.Columns ? Coefficients + column : coefficients;
                float* gradient = Elements.Read(Gradient, first, count, gradientBuffer);
                if (Weight.DType == DType.F32)
                {
                    float* stored = (float*)Weight.Address + first;
                    Move(stored, gradient, c, values, count);
                    changed += Store(values, stored, count);
                    continue;
                }

                ushort* bits = (ushort*)Weight.Address + first;
                Elements.FromBFloat(bits, values, count);
                Move(values, gradient, c, values, count);
                uint* drawn = null;
                if (Scalars.Rounding != RoundingMode.Nearest)
                {
                    ulong element = ((ulong)Scalars.FirstRow + (ulong)row) * (ulong)columns + (ulong)column;
                    drawn = PhiloxWords.Fill(Scalars.RoundingStream, element, count, words);
                }

                changed += Store(values, drawn, Scalars.RoundingOffset, bits, count);
            }
        }

        if (changed != 0)
        {
            Interlocked.Add(ref *Changed, changed);
        }
    }

    private readonly void Move(float* old, float* gradient, float* coefficients, float* values, int count)
    {
        int width = Vector<float>.Count;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Move(Vector.Load(old + i), Vector.Load(gradient + i), Vector.Load(coefficients + i)).Store(values + i);
        }

        for (; i < count; i++)
        {
            values[i] = Move(Vector.Create(old[i]), Vector.Create(gradient[i]), Vector.Create(coefficients[i]))[0];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly Vector<float> Move(Vector<float> w, Vector<float> g, Vector<float> c)
    {
        Vector<float> decay = Vector.Create(Scalars.Decay);
        Vector<float> moved = Scalars.DecayFirst ? w * decay - c * g : (w - c * g) * decay;
        return Vector.ConditionalSelect(Vector.Equals(c, Vector<float>.Zero), w, moved);
    }

    /// <summary>Returns how many values changed.</summary>
    private static int Store(float* values, float* stored, int count)
    {
        int width = Vector<int>.Count;
        Vector<int> same = Vector<int>.Zero;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<int> value = Vector.Load((int*)values + i);
            same -= Vector.Equals(value, Vector.Load((int*)stored + i));
            value.Store((int*)stored + i);
        }

        int equal = Vector.Sum(same);
        for (; i < count; i++)
        {
            equal += ((int*)values)[i] == ((int*)stored)[i] ? 1 : 0;
            stored[i] = values[i];
        }

        return count - equal;
    }

    /// <summary>Rounds to BF16: to nearest without words, else low 16 bits + (u >> 16) carry. Returns how many values changed.</summary>
    private static int Store(float* values, uint* words, uint offset, ushort* stored, int count)
    {
        int width = Vector<ushort>.Count;
        Vector<ushort> same = Vector<ushort>.Zero;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            Vector<uint> low = Round(values, words, offset, i);
            Vector<uint> high = Round(values, words, offset, i + width / 2);
            Vector<ushort> rounded = Vector.Narrow(low, high);
            same -= Vector.Equals(rounded, Vector.Load(stored + i));
            rounded.Store(stored + i);
        }

        int equal = 0;
        for (int lane = 0; lane < width; lane++)
        {
            equal += same[lane];
        }

        for (; i < count; i++)
        {
            ushort rounded = words == null
                ? BFloat.FromSingle(values[i])
                : float.IsNaN(values[i]) ? (ushort)0x7FFF : (ushort)((BitConverter.SingleToUInt32Bits(values[i]) + ((words[i] + offset) >> 16)) >> 16);
            equal += rounded == stored[i] ? 1 : 0;
            stored[i] = rounded;
        }

        return count - equal;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Round(float* values, uint* words, uint offset, int i)
    {
        Vector<float> value = Vector.Load(values + i);
        Vector<uint> bits = Vector.AsVectorUInt32(value);
        Vector<uint> carry = words == null
            ? Vector.Create(0x7FFFu) + ((bits >> 16) & Vector<uint>.One)
            : (Vector.Load(words + i) + Vector.Create(offset)) >> 16;
        return Vector.ConditionalSelect(
            Vector.AsVectorUInt32(Vector.Equals(value, value)), (bits + carry) >> 16, Vector.Create(0x7FFFu));
    }
}
