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

    /// <summary>The zero point of <see cref="ZeroPointRule.Symmetric"/>: the middle of its codes 1..255.</summary>
    public const byte SymmetricZeroPoint = 128;

    /// <summary>
    /// 2^-17. From here on to 65504 a bfloat16 value is a binary16 value too; below, the multiples of
    /// <see cref="MinSymmetricScale"/> are both.
    /// </summary>
    public const float MinNormalSymmetricScale = 7.62939453125e-6f;

    /// <summary>2^-24, the smallest binary16 value: the smallest scale of <see cref="ZeroPointRule.Symmetric"/>.</summary>
    public const float MinSymmetricScale = 5.9604644775390625e-8f;

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

    /// <summary>The grid of a rule; <see cref="FromRange(float, float)"/> or <see cref="SymmetricFromRange"/>.</summary>
    public static GroupGrid FromRange(float min, float max, ZeroPointRule rule) =>
        rule == ZeroPointRule.Symmetric ? SymmetricFromRange(min, max) : FromRange(min, max);

    /// <summary>
    /// The symmetric grid: zero point 128, scale = max(-min, max) / 127 rounded up to a value that is both bfloat16 and
    /// binary16, so that codes are 1..255. Beyond 65504, where binary16 ends, the scale is a bfloat16 value alone.
    /// An all-zero range gets scale 1.
    /// </summary>
    public static GroupGrid SymmetricFromRange(float min, float max)
    {
        float magnitude = MathF.Max(-MathF.Min(min, 0f), MathF.Max(max, 0f));
        if (magnitude == 0f)
        {
            return new GroupGrid(1f, SymmetricZeroPoint);
        }

        float scale = MathF.Max(magnitude / (Steps / 2f), MinSymmetricScale);
        scale = scale < MinNormalSymmetricScale ? MathF.Ceiling(scale / MinSymmetricScale) * MinSymmetricScale : BFloat.RoundUp(scale);
        return new GroupGrid(scale, SymmetricZeroPoint);
    }

    /// <summary>The lowest code that a rule gives; the highest is 255.</summary>
    public static int LowestCode(ZeroPointRule rule) => rule == ZeroPointRule.Symmetric ? 1 : 0;

    /// <summary>
    /// How many of <see cref="Steps"/> a group's values fill: from the lowest to the highest, or twice the larger distance from
    /// a zero point that stays.
    /// </summary>
    /// <param name="lowest">In codes; at most <see cref="ZeroPoint"/>.</param>
    /// <param name="highest">In codes; at least <see cref="ZeroPoint"/>.</param>
    public float Fill(float lowest, float highest, ZeroPointRule rule) =>
        rule == ZeroPointRule.Symmetric ? 2f * MathF.Max(highest - ZeroPoint, ZeroPoint - lowest) : highest - lowest;
}
