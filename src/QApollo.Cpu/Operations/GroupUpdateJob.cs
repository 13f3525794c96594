using System.Numerics;
using System.Runtime.CompilerServices;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>The update of INT8 groups in the code domain; see <see cref="IDevice.ApplyUpdate"/>. Task: some rows.</summary>
internal unsafe struct GroupUpdateJob : IJob
{
    private const int Max = GroupCode.MaxGroup;

    public WeightMatrix Weight;
    public Tensor Gradient;
    public float* Coefficients;
    public ChannelAxis Axis;
    public UpdateScalars Scalars;
    public int* Changed;
    public int RowsPerTask;

    [SkipLocalsInit]
    public readonly void Run(int task, int worker)
    {
        float* gradient = stackalloc float[Max];
        float* coefficients = stackalloc float[Max];
        float* x = stackalloc float[Max];
        byte* codes = stackalloc byte[Max];
        byte* newCodes = stackalloc byte[Max];
        uint* words = stackalloc uint[Max + PhiloxWords.Slack];
        int columns = Weight.InFeatures;
        int changed = 0;
        int end = Math.Min((task + 1) * RowsPerTask, Weight.OutFeatures);
        for (int row = task * RowsPerTask; row < end; row++)
        {
            if (Axis != ChannelAxis.Columns)
            {
                float coefficient = Coefficients[Axis == ChannelAxis.Rows ? row : 0];
                if (coefficient == 0f)
                {
                    continue;
                }

                new Span<float>(coefficients, Max).Fill(coefficient);
            }

            long group = (long)row * Weight.Scales.Columns;
            for (int column = 0; column < columns; column += Weight.GroupSize, group++)
            {
                long first = (long)row * columns + column;
                int count = Math.Min(Weight.GroupSize, columns - column);
                byte* stored = (byte*)Weight.Values.Address + first;
                byte zero = ((byte*)Weight.ZeroPoints.Address)[group];
                byte* old = stored;
                float* c = Axis == ChannelAxis.Columns ? Coefficients + column : coefficients;
                float* g = Elements.Read(Gradient, first, count, gradient);
                if (count % (4 * Vector<float>.Count) != 0)
                {
                    old = Padded(stored, codes, count, zero);
                    g = Padded(g, gradient, count);
                    c = Axis == ChannelAxis.Columns ? Padded(c, coefficients, count) : c;
                }

                ushort* scale = (ushort*)Weight.Scales.Address + group;
                GroupGrid grid = new(BFloat.ToSingle(*scale), zero);
                Outcome outcome = Move(old, g, c, grid, x, count);
                if (outcome == Outcome.Unchanged)
                {
                    continue;
                }

                if (outcome == Outcome.Regrid)
                {
                    MoveValues(old, g, c, grid, x, count);
                    GroupGrid newGrid = GroupCode.Range(x, count);
                    if (!float.IsFinite(newGrid.Scale))
                    {
                        continue;
                    }

                    GroupCode.ToGrid(x, newGrid, count);
                    *scale = BFloat.FromSingle(newGrid.Scale);
                    ((byte*)Weight.ZeroPoints.Address)[group] = newGrid.ZeroPoint;
                }

                if (Scalars.Rounding == RoundingMode.Nearest)
                {
                    GroupCode.RoundNearest(x, newCodes, count);
                }
                else
                {
                    ulong element = ((ulong)Scalars.FirstRow + (ulong)row) * (ulong)columns + (ulong)column;
                    uint* drawn = PhiloxWords.Fill(Scalars.RoundingStream, element, count, words);
                    GroupCode.RoundStochastic(x, drawn, Scalars.RoundingOffset, newCodes, count);
                }

                changed += outcome == Outcome.Regrid ? count : Differences(stored, newCodes, count);
                new ReadOnlySpan<byte>(newCodes, count).CopyTo(new Span<byte>(stored, count));
            }
        }

        if (changed != 0)
        {
            Interlocked.Add(ref *Changed, changed);
        }
    }

    private enum Outcome
    {
        Unchanged,
        Keep,
        Regrid,
    }

    /// <summary>x = fma(-c G, 1 / scale, q - zero) * decay + zero, and what becomes of the grid.</summary>
    private readonly Outcome Move(byte* codes, float* gradient, float* coefficients, GroupGrid grid, float* x, int count)
    {
        Vector<float> inverseScale = Vector.Create(1f / grid.Scale);
        Vector<float> zero = Vector.Create((float)grid.ZeroPoint);
        Vector<float> decay = Vector.Create(Scalars.Decay);
        Vector<float> min = zero;
        Vector<float> max = zero;
        Vector<int> same = Vector<int>.AllBitsSet;
        int width = Vector<float>.Count;
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<ushort> low, out Vector<ushort> high);
            Vector.Widen(low, out Vector<uint> q0, out Vector<uint> q1);
            Vector.Widen(high, out Vector<uint> q2, out Vector<uint> q3);
            for (int part = 0; part < 4; part++)
            {
                int at = i + part * width;
                Vector<uint> q = part switch { 0 => q0, 1 => q1, 2 => q2, _ => q3 };
                Vector<float> v = Vector.ConvertToSingle(Vector.AsVectorInt32(q)) - zero;
                Vector<float> c = Vector.Load(coefficients + at);
                Vector<float> change = -(c * Vector.Load(gradient + at));
                Vector<float> moved = Scalars.DecayFirst
                    ? Vector.FusedMultiplyAdd(change, inverseScale, v * decay)
                    : Vector.FusedMultiplyAdd(change, inverseScale, v) * decay;
                moved = Vector.ConditionalSelect(Vector.Equals(c, Vector<float>.Zero), v, moved);
                same &= Vector.Equals(moved, v);
                Vector<float> result = moved + zero;
                min = Vector.Min(min, result);
                max = Vector.Max(max, result);
                result.Store(x + at);
            }
        }

        if (Vector.EqualsAll(same, Vector<int>.AllBitsSet))
        {
            return Outcome.Unchanged;
        }

        float lowest = GroupCode.Min(min);
        float highest = GroupCode.Max(max);
        bool keep = lowest >= 0f && highest <= 255f && Scalars.Regrid != RegridMode.Always
            && highest - lowest >= GroupGrid.MinFill * GroupGrid.Steps;
        return keep ? Outcome.Keep : Outcome.Regrid;
    }

    /// <summary>The new values themselves: ((q - zero) * scale - c G) * decay.</summary>
    private readonly void MoveValues(byte* codes, float* gradient, float* coefficients, GroupGrid grid, float* values, int count)
    {
        Vector<float> scale = Vector.Create(grid.Scale);
        Vector<float> zero = Vector.Create((float)grid.ZeroPoint);
        Vector<float> decay = Vector.Create(Scalars.Decay);
        int width = Vector<float>.Count;
        float* wide = stackalloc float[width];
        for (int i = 0; i < count; i += width)
        {
            for (int lane = 0; lane < width; lane++)
            {
                wide[lane] = codes[i + lane];
            }

            Vector<float> w = (Vector.Load(wide) - zero) * scale;
            Vector<float> c = Vector.Load(coefficients + i);
            Vector<float> change = c * Vector.Load(gradient + i);
            Vector<float> moved = Scalars.DecayFirst ? w * decay - change : (w - change) * decay;
            Vector.ConditionalSelect(Vector.Equals(c, Vector<float>.Zero), w, moved).Store(values + i);
        }
    }

    private static byte* Padded(byte* source, byte* buffer, int count, byte filler)
    {
        new ReadOnlySpan<byte>(source, count).CopyTo(new Span<byte>(buffer, count));
        new Span<byte>(buffer + count, Max - count).Fill(filler);
        return buffer;
    }

    private static float* Padded(float* source, float* buffer, int count)
    {
        if (source != buffer)
        {
            new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(buffer, count));
        }

        new Span<float>(buffer + count, Max - count).Clear();
        return buffer;
    }

    private static int Differences(byte* a, byte* b, int count)
    {
        int width = Vector<byte>.Count;
        int same = 0;
        int i = 0;
        for (; i <= count - width; i += width)
        {
            // A lane is -1 where equal; a register has fewer lanes than a signed byte can count.
            same -= Vector.Sum(Vector.AsVectorSByte(Vector.Equals(Vector.Load(a + i), Vector.Load(b + i))));
        }

        for (; i < count; i++)
        {
            same += a[i] == b[i] ? 1 : 0;
        }

        return count - same;
    }
}
