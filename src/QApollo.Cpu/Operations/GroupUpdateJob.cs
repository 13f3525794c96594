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
    public long* Counts;
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
        byte* residuals = stackalloc byte[Max];
        byte* newResiduals = stackalloc byte[Max];
        uint* words = stackalloc uint[Max + PhiloxWords.Slack];
        int columns = Weight.InFeatures;
        int bits = Weight.ResidualBits;
        int lowestCode = GroupGrid.LowestCode(Weight.ZeroPointRule);
        var counts = new GroupCounts();
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
                byte* storedResiduals = ResidualCode.At(Weight, first);
                float* c = Axis == ChannelAxis.Columns ? Coefficients + column : coefficients;
                float* g = Elements.Read(Gradient, first, count, gradient);
                if (count % (4 * Vector<float>.Count) != 0)
                {
                    old = Padded(stored, codes, count, zero);
                    g = Padded(g, gradient, count);
                    c = Axis == ChannelAxis.Columns ? Padded(c, coefficients, count) : c;
                }

                if (bits != 0)
                {
                    ResidualCode.Unpack(storedResiduals, bits, residuals, count);
                }

                ushort* scale = (ushort*)Weight.Scales.Address + group;
                GroupGrid grid = new(BFloat.ToSingle(*scale), zero);
                Outcome outcome = Move(old, bits == 0 ? null : residuals, g, c, grid, v, x, count, out int moved, out float moveSquares);
                if (outcome == Outcome.Unchanged)
                {
                    continue;
                }

                if (outcome == Outcome.Regrid)
                {
                    MoveValues(v, g, c, grid.Scale, x, count);
                    GroupGrid newGrid = GroupCode.Range(x, count, Weight.ZeroPointRule);
                    if (!float.IsFinite(newGrid.Scale))
                    {
                        continue;
                    }

                    GroupCode.ToGrid(x, newGrid, count);
                    *scale = BFloat.FromSingle(newGrid.Scale);
                    ((byte*)Weight.ZeroPoints.Address)[group] = newGrid.ZeroPoint;
                }

                uint* drawn = null;
                if (Scalars.Rounding != RoundingMode.Nearest)
                {
                    ulong element = ((ulong)Scalars.FirstRow + (ulong)row) * (ulong)columns + (ulong)column;
                    drawn = PhiloxWords.Fill(Scalars.RoundingStream, element, count, words);
                }

                float noiseSquares = GroupCode.Round(x, drawn, Scalars.RoundingOffset, bits, lowestCode, newCodes, newResiduals, count);
                int codeDifferences = GroupCode.Differences(stored, newCodes, count);
                int differences = bits == 0 ? codeDifferences : GroupCode.Differences(stored, newCodes, residuals, newResiduals, count);
                new ReadOnlySpan<byte>(newCodes, count).CopyTo(new Span<byte>(stored, count));
                if (bits != 0)
                {
                    ResidualCode.Pack(newResiduals, bits, storedResiduals, count);
                }

                bool regridded = outcome == Outcome.Regrid;
                counts.Add(new GroupCounts
                {
                    Changed = regridded ? count : differences,
                    Codes = codeDifferences,
                    Moved = moved,
                    Lost = regridded ? 0 : moved - differences,
                    Regridded = regridded ? 1 : 0,
                    NoiseSquares = noiseSquares,
                    MoveSquares = moveSquares,
                });
            }
        }

        counts.AddTo(Counts);
    }

    private enum Outcome
    {
        Unchanged,
        Keep,
        Regrid,
    }

    /// <summary>v = q - zero + r / 2^bits, x = fma(-c G, 1 / scale, v) * decay + zero, and what becomes of the grid.</summary>
    /// <param name="residuals">Null for a weight without.</param>
    private readonly Outcome Move(
        byte* codes, byte* residuals, float* gradient, float* coefficients, GroupGrid grid, float* v, float* x, int count, out int moved,
        out float squares)
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
        Vector<float> unit = Vector.Create(1f / (1 << Weight.ResidualBits));
        for (int i = 0; i < count; i += 4 * width)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<ushort> low, out Vector<ushort> high);
            Vector.Widen(low, out Vector<uint> c0, out Vector<uint> c1);
            Vector.Widen(high, out Vector<uint> c2, out Vector<uint> c3);
            Vector<float> q0 = ToSingle(c0), q1 = ToSingle(c1), q2 = ToSingle(c2), q3 = ToSingle(c3);
            if (residuals != null)
            {
                Vector.Widen(Vector.Load((sbyte*)residuals + i), out Vector<short> lower, out Vector<short> upper);
                Vector.Widen(lower, out Vector<int> r0, out Vector<int> r1);
                Vector.Widen(upper, out Vector<int> r2, out Vector<int> r3);
                q0 += Vector.ConvertToSingle(r0) * unit;
                q1 += Vector.ConvertToSingle(r1) * unit;
                q2 += Vector.ConvertToSingle(r2) * unit;
                q3 += Vector.ConvertToSingle(r3) * unit;
            }

            move.Step(q0, gradient + i, coefficients + i, v + i, x + i);
            move.Step(q1, gradient + i + width, coefficients + i + width, v + i + width, x + i + width);
            move.Step(q2, gradient + i + 2 * width, coefficients + i + 2 * width, v + i + 2 * width, x + i + 2 * width);
            move.Step(q3, gradient + i + 3 * width, coefficients + i + 3 * width, v + i + 3 * width, x + i + 3 * width);
        }

        moved = Vector.Sum(move.Moved);
        squares = Vector.Sum(move.Squares);
        if (moved == 0)
        {
            return Outcome.Unchanged;
        }

        float lowest = GroupCode.Min(move.Min);
        float highest = GroupCode.Max(move.Max);
        bool finite = float.IsFinite(Vector.Sum(move.Sum));
        bool keep = finite && lowest >= GroupGrid.LowestCode(Weight.ZeroPointRule) && highest <= 255f && Scalars.Regrid != RegridMode.Always
            && grid.Fill(lowest, highest, Weight.ZeroPointRule) >= GroupGrid.MinFill * GroupGrid.Steps;
        return keep ? Outcome.Keep : Outcome.Regrid;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> ToSingle(Vector<uint> code) => Vector.ConvertToSingle(Vector.AsVectorInt32(code));

    /// <summary>One register of <see cref="Move"/>.</summary>
    private struct Mover
    {
        public Vector<float> Zero;
        public Vector<float> InverseScale;
        public Vector<float> Decay;
        public bool DecayFirst;
        public Vector<float> Min;
        public Vector<float> Max;
        public Vector<int> Moved;
        public Vector<float> Squares;

        /// <summary>Shows what is not finite: the minimum and the maximum may lose it.</summary>
        public Vector<float> Sum;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Step(Vector<float> code, float* gradient, float* coefficients, float* v, float* x)
        {
            Vector<float> old = code - Zero;
            Vector<float> c = Vector.Load(coefficients);
            Vector<float> change = -(c * Vector.Load(gradient));
            Vector<float> moved = DecayFirst
                ? Vector.FusedMultiplyAdd(change, InverseScale, old * Decay)
                : Vector.FusedMultiplyAdd(change, InverseScale, old) * Decay;
            moved = Vector.ConditionalSelect(Vector.Equals(c, Vector<float>.Zero), old, moved);
            Vector<float> difference = moved - old;
            Moved += Vector<int>.One + Vector.Equals(moved, old);
            Squares += difference * difference;
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
