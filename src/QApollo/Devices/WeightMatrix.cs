namespace QApollo.Devices;

/// <summary>
/// A weight matrix [out, in] as the device stores it: F32 or BF16 values, or INT8 group codes
/// w = (code - zero) * scale, groups of <see cref="GroupSize"/> along a row, the last one shorter
/// where the row is no multiple of it.
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

    public int OutFeatures => Values.Rows;

    public int InFeatures => Values.Columns;

    public bool IsQuantized => Values.DType == DType.U8;

    /// <summary>Output features <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/>, without expansions.</summary>
    public WeightMatrix RowRange(int first, int count) => IsQuantized
        ? new WeightMatrix(Values.RowRange(first, count), Scales.RowRange(first, count), ZeroPoints.RowRange(first, count), GroupSize)
        : new WeightMatrix(Values.RowRange(first, count));

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
