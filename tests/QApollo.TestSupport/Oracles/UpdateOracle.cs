using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.TestSupport.Oracles;

/// <summary>
/// The rewriting of a stored weight, one element at a time in binary32: the rule is exact, so devices must match it bit
/// for bit. Works on copies of a weight's bytes.
/// </summary>
public sealed class UpdateOracle(UpdateScalars scalars, ZeroPointRule rule = ZeroPointRule.Asymmetric)
{
    /// <summary>Stored values that changed so far; a regridded group counts all of its codes.</summary>
    public int Changed { get; private set; }

    /// <summary>Groups that got a new grid so far.</summary>
    public int Regridded { get; private set; }

    /// <summary>Codes that changed so far.</summary>
    public int Codes { get; private set; }

    /// <summary>Values of groups that the update would have moved so far.</summary>
    public int Moved { get; private set; }

    /// <summary>Of those, how many stayed as they were, on a grid that stayed.</summary>
    public int Lost { get; private set; }

    /// <summary>Sum of squares of the rounding of groups so far, in codes.</summary>
    public double NoiseSquares { get; private set; }

    /// <summary>Sum of squares of the exact changes of groups so far, in codes of the old grid.</summary>
    public double MoveSquares { get; private set; }

    /// <summary>Updates one group.</summary>
    /// <param name="residuals">Low bits of the values; zeros where there are none.</param>
    /// <param name="bits">Their number.</param>
    /// <param name="element">Number of the group's first element in the whole parameter.</param>
    public GroupGrid UpdateGroup(
        Span<byte> codes, Span<sbyte> residuals, int bits, GroupGrid grid, ReadOnlySpan<float> gradient, ReadOnlySpan<float> coefficients, ulong element)
    {
        float zero = grid.ZeroPoint;
        float inverse = 1f / grid.Scale;
        float fine = 1 << bits;
        float[] x = new float[codes.Length];
        int movedValues = 0;
        double moveSquares = 0;
        float min = zero, max = zero;
        for (int i = 0; i < x.Length; i++)
        {
            float v = codes[i] - zero + residuals[i] / fine;
            float change = -(coefficients[i] * gradient[i]);
            float moved = scalars.DecayFirst
                ? MathF.FusedMultiplyAdd(change, inverse, v * scalars.Decay)
                : MathF.FusedMultiplyAdd(change, inverse, v) * scalars.Decay;
            moved = coefficients[i] == 0f ? v : moved;
            movedValues += moved == v ? 0 : 1;
            moveSquares += (moved - v) * (double)(moved - v);
            x[i] = moved + zero;
            min = MathF.Min(min, x[i]);
            max = MathF.Max(max, x[i]);
        }

        if (movedValues == 0)
        {
            return grid;
        }

        bool isSymmetric = rule == ZeroPointRule.Symmetric;
        int lowest = isSymmetric ? 1 : 0;
        float fill = isSymmetric ? 2 * MathF.Max(max - zero, zero - min) : max - min;
        bool keep = min >= lowest && max <= 255 && scalars.Regrid != RegridMode.Always && fill >= GroupGrid.MinFill * GroupGrid.Steps;
        if (!keep)
        {
            for (int i = 0; i < x.Length; i++)
            {
                float w = (codes[i] - zero + residuals[i] / fine) * grid.Scale;
                float change = coefficients[i] * gradient[i];
                x[i] = coefficients[i] == 0f ? w : scalars.DecayFirst ? w * scalars.Decay - change : (w - change) * scalars.Decay;
            }

            GroupGrid fresh = isSymmetric ? GroupGrid.SymmetricFromRange(x.Min(), x.Max()) : GroupGrid.FromRange(x.Min(), x.Max());
            if (!float.IsFinite(fresh.Scale))
            {
                return grid;
            }

            grid = fresh;
            for (int i = 0; i < x.Length; i++)
            {
                x[i] = x[i] / grid.Scale + grid.ZeroPoint;
            }

            Regridded++;
        }

        int kept = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int rounded = (int)Math.Clamp(Round(x[i] * fine, element + (ulong)i), lowest * fine, 255f * fine);
            byte code = (byte)Math.Floor((rounded + fine / 2) / fine);
            var residual = (sbyte)(rounded - code * (int)fine);
            bool same = keep && code == codes[i] && residual == residuals[i];
            Changed += same ? 0 : 1;
            kept += same ? 1 : 0;
            Codes += code == codes[i] ? 0 : 1;
            NoiseSquares += Math.Pow((rounded / fine) - (double)x[i], 2);
            (codes[i], residuals[i]) = (code, residual);
        }

        // What was not to move stays on the fine grid, so it is among those that were kept.
        Moved += movedValues;
        MoveSquares += moveSquares;
        Lost += keep ? movedValues - (x.Length - kept) : 0;

        return grid;
    }

    public float UpdateSingle(float w, float gradient, float coefficient)
    {
        float moved = Move(w, gradient, coefficient);
        Changed += BitConverter.SingleToUInt32Bits(moved) == BitConverter.SingleToUInt32Bits(w) ? 0 : 1;
        return moved;
    }

    public ushort UpdateBFloat(ushort bits, float gradient, float coefficient, ulong element)
    {
        float moved = Move(BFloat.ToSingle(bits), gradient, coefficient);
        ushort result = scalars.Rounding == RoundingMode.Nearest
            ? BFloat.FromSingle(moved)
            : (ushort)((BitConverter.SingleToUInt32Bits(moved) + (Word(element) >> 16)) >> 16);
        Changed += result == bits ? 0 : 1;
        return result;
    }

    private float Move(float w, float gradient, float coefficient)
    {
        if (coefficient == 0f)
        {
            return w;
        }

        float change = coefficient * gradient;
        return scalars.DecayFirst ? w * scalars.Decay - change : (w - change) * scalars.Decay;
    }

    private float Round(float x, ulong element)
    {
        if (scalars.Rounding == RoundingMode.Nearest)
        {
            return MathF.Round(x, MidpointRounding.ToEven);
        }

        float floor = MathF.Floor(x);
        return Philox.ToUniform(Word(element)) < x - floor ? floor + 1 : floor;
    }

    private uint Word(ulong element) => unchecked(Philox.Word(scalars.RoundingStream, element) + scalars.RoundingOffset);
}
