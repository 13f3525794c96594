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
        float* v = stackalloc float[Max];
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
                Outcome outcome = Move(old, g, c, grid, v, x, count);
                if (outcome == Outcome.Unchanged)
                {
                    continue;
                }

                if (outcome == Outcome.Regrid)
                {
                    MoveValues(v, g, c, grid.Scale, x, count);
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

                int differences = GroupCode.Replace(stored, newCodes, count);
                changed += outcome == Outcome.Regrid ? count : differences;
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

    /// <summary>v = q - zero, x = fma(-c G, 1 / scale, v) * decay + zero, and what becomes of the grid.</summary>
    private readonly Outcome Move(byte* codes, float* gradient, float* coefficients, GroupGrid grid, float* v, float* x, int count)
    {
        Vector<float> zero = Vector.Create((float)grid.ZeroPoint);
        var move = new Mover
        {
            Zero = zero,
            InverseScale = Vector.Create(1f / grid.Scale),
            Decay = Vector.Create(Scalars.Decay),
            DecayFirst = Scalars.DecayFirst,
            Min = zero,
            Max = zero,
        };
        int width = Vector<float>.Count;
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<ushort> low, out Vector<ushort> high);
            Vector.Widen(low, out Vector<uint> q0, out Vector<uint> q1);
            Vector.Widen(high, out Vector<uint> q2, out Vector<uint> q3);
            move.Step(q0, gradient + i, coefficients + i, v + i, x + i);
            move.Step(q1, gradient + i + width, coefficients + i + width, v + i + width, x + i + width);
            move.Step(q2, gradient + i + 2 * width, coefficients + i + 2 * width, v + i + 2 * width, x + i + 2 * width);
            move.Step(q3, gradient + i + 3 * width, coefficients + i + 3 * width, v + i + 3 * width, x + i + 3 * width);
        }

        // Without the sign bit: the difference of equal values can be -0.
        if (Vector.EqualsAll(move.Differences << 1, Vector<int>.Zero))
        {
            return Outcome.Unchanged;
        }

        float lowest = GroupCode.Min(move.Min);
        float highest = GroupCode.Max(move.Max);
        bool finite = float.IsFinite(Vector.Sum(move.Sum));
        bool keep = finite && lowest >= 0f && highest <= 255f && Scalars.Regrid != RegridMode.Always
            && highest - lowest >= GroupGrid.MinFill * GroupGrid.Steps;
        return keep ? Outcome.Keep : Outcome.Regrid;
    }

    /// <summary>One register of <see cref="Move"/>.</summary>
    private struct Mover
    {
        public Vector<float> Zero;
        public Vector<float> InverseScale;
        public Vector<float> Decay;
        public bool DecayFirst;
        public Vector<float> Min;
        public Vector<float> Max;
        public Vector<int> Differences;

        /// <summary>Shows what is not finite: the minimum and the maximum may lose it.</summary>
        public Vector<float> Sum;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Step(Vector<uint> code, float* gradient, float* coefficients, float* v, float* x)
        {
            Vector<float> old = Vector.ConvertToSingle(Vector.AsVectorInt32(code)) - Zero;
            Vector<float> c = Vector.Load(coefficients);
            Vector<float> change = -(c * Vector.Load(gradient));
            Vector<float> moved = DecayFirst
                ? Vector.FusedMultiplyAdd(change, InverseScale, old * Decay)
                : Vector.FusedMultiplyAdd(change, InverseScale, old) * Decay;
            moved = Vector.ConditionalSelect(Vector.Equals(c, Vector<float>.Zero), old, moved);
            Differences |= Vector.AsVectorInt32(moved - old);
            Vector<float> result = moved + Zero;
            Min = Vector.MinNative(Min, result);
            Max = Vector.MaxNative(Max, result);
            Sum += result;
            old.Store(v);
            result.Store(x);
        }
    }

    /// <summary>The new values themselves: (v * scale - c G) * decay.</summary>
    private readonly void MoveValues(float* v, float* gradient, float* coefficients, float oldScale, float* values, int count)
    {
        Vector<float> scale = Vector.Create(oldScale);
        Vector<float> decay = Vector.Create(Scalars.Decay);
        for (int i = 0; i < count; i += Vector<float>.Count)
        {
            Vector<float> w = Vector.Load(v + i) * scale;
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
}
