using QApollo.Quantization;

namespace QApollo.Quality;

/// <summary>A way to store matrices and to update them.</summary>
/// <param name="GroupSize">Values per INT8 group.</param>
/// <param name="ResidualBits">0, 4 or 8.</param>
internal sealed record StorageRule(string Name, int GroupSize, int ResidualBits, RoundingMode Rounding, RegridMode Regrid)
{
    /// <summary>What a replay compares.</summary>
    public static IReadOnlyList<StorageRule> All { get; } =
    [
        new("INT8", 128, 0, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded),
        new("INT8 + 4", 128, 4, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded),
        new("INT8 + 8", 128, 8, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded),
        new("INT8 + 4, stochastic", 128, 4, RoundingMode.Stochastic, RegridMode.WhenNeeded),
        new("INT8 + 4, nearest", 128, 4, RoundingMode.Nearest, RegridMode.WhenNeeded),
        new("INT8 + 4, groups of 64", 64, 4, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded),
        new("INT8, groups of 32", 32, 0, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded),
        new("INT8, stochastic, regrid always", 128, 0, RoundingMode.Stochastic, RegridMode.Always),
    ];
}
