namespace QApollo.Quantization;

/// <summary>
/// The grid of one INT8 group: w = (code - <see cref="ZeroPoint"/>) * <see cref="Scale"/>, codes 0..255.
/// The scale is a bfloat16 value.
/// </summary>
/// <param name="Scale">Step of the grid; finite, positive, exactly representable in bfloat16.</param>
/// <param name="ZeroPoint">The code of the value 0.</param>
public readonly record struct GroupGrid(float Scale, byte ZeroPoint)
{
    /// <summary>
    /// A kept grid must be filled to at least this share of <see cref="Steps"/>; below it the group is regridded,
    /// so that weights which shrank get their resolution back.
    /// </summary>
    public const float MinFill = 0.75f;

    /// <summary>
    /// Steps that the range [min, max] spans on a new grid. One less than the 255 between the end codes, so that
    /// the zero point can be rounded up to a whole code and still nothing falls off either end.
    /// </summary>
    public const float Steps = 254f;

    /// <summary>The smallest scale: the smallest normal bfloat16. Weights of a smaller range become 0.</summary>
    public const float MinScale = 1.17549435e-38f;

    /// <summary>
    /// The grid for values in [<paramref name="min"/>, <paramref name="max"/>], extended to contain 0: scale =
    /// (max - min) / 254 rounded up to bfloat16, zero point = ceil(-min / scale). Then 0 &lt;= w / scale + zero
    /// &lt;= 255 for every value of the range, so that no code saturates. An all-zero range gets scale 1.
    /// </summary>
    public static GroupGrid FromRange(float min, float max)
    {
        min = MathF.Min(min, 0f);
        max = MathF.Max(max, 0f);
        float range = max - min;
        if (range == 0f)
        {
            return new GroupGrid(1f, 0);
        }

        float scale = BFloat.RoundUp(MathF.Max(range / Steps, MinScale));
        return new GroupGrid(scale, (byte)MathF.Min(MathF.Ceiling(-min / scale), 255f));
    }
}
