using QApollo.Quantization;

namespace QApollo.Devices;

/// <summary>
/// A weight matrix [out, in] as the device stores it: F32 or BF16 values, or INT8 group codes
/// w = (code - zero + residual / 2^bits) * scale, groups of <see cref="GroupSize"/> along a row, the last one shorter
/// where the row is no multiple of it. Products read the codes alone; updates read and write both.
/// </summary>
/// <param name="Values">[out, in] F32 or BF16 values, or U8 codes.</param>
/// <param name="Scales">[out, groups] BF16; absent for a dense matrix.</param>
/// <param name="ZeroPoints">[out, groups] U8; absent for a dense matrix.</param>
/// <param name="GroupSize">32, 64, 128 or 256; 0 for a dense matrix.</param>
public readonly record struct WeightMatrix(Tensor Values, Tensor Scales = default, Tensor ZeroPoints = default, int GroupSize = 0)
{
    /// <summary>The matrix expanded by <see cref="IDevice.ExpandWeight"/> for y = x Wᵀ; absent where the device reads the values as they are.</summary>
    public Tensor ForwardExpansion { get; init; }

    /// <summary>The matrix expanded by <see cref="IDevice.ExpandWeight"/> for dx = dy W; absent where the device reads the values as they are.</summary>
    public Tensor InputGradientExpansion { get; init; }

    /// <summary>
    /// Low bits of an INT8 weight's values, two's complement, -2^(bits - 1) to 2^(bits - 1) - 1: U8 [out, in] for 8 bits,
    /// [out, in / 2] for 4, of which the value in the even column has the low half. Absent for none.
    /// </summary>
    public Tensor Residuals { get; init; }

    /// <summary>Which grids <see cref="IDevice.Quantize"/> and <see cref="IDevice.ApplyUpdate"/> give the groups.</summary>
    public ZeroPointRule ZeroPointRule { get; init; }

    /// <summary>0, 4 or 8.</summary>
    public int ResidualBits => Residuals.IsAbsent ? 0 : Residuals.Columns == Values.Columns ? 8 : 4;

    public int OutFeatures => Values.Rows;

    public int InFeatures => Values.Columns;

    public bool IsQuantized => Values.DType == DType.U8;

    /// <summary>Output features <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>, without expansions.</summary>
    public WeightMatrix RowRange(int first, int count) => IsQuantized
        ? new WeightMatrix(Values.RowRange(first, count), Scales.RowRange(first, count), ZeroPoints.RowRange(first, count), GroupSize)
        {
            Residuals = Residuals.IsAbsent ? default : Residuals.RowRange(first, count),
            ZeroPointRule = ZeroPointRule,
        }
        : new WeightMatrix(Values.RowRange(first, count));

    /// <summary>Bytes of a row's residuals.</summary>
    /// <param name="columns">Even where the bits are 4.</param>
    public static int ResidualBytesPerRow(int columns, int bits) => bits == 4 ? columns / 2 : columns;

    /// <summary>Groups in a row of <paramref name="columns"/> values.</summary>
    public static int GroupsPerRow(int columns, int groupSize) => (int)((columns + (long)groupSize - 1) / groupSize);
}

/// <summary>What an expanded weight will be multiplied with.</summary>
public enum WeightUse
{
    /// <summary>y = x Wᵀ.</summary>
    Forward,

    /// <summary>dx = dy W.</summary>
    InputGradient,
}
