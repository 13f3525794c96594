using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>How the storage of a layer's attention and MLP matrices treated their updates in one step.</summary>
/// <param name="CodesChanged">Share of the codes that changed, 0 to 1.</param>
/// <param name="UpdatesLost">Of the values that the update would move, the share whose stored form stayed, 0 to 1.</param>
/// <param name="NoiseRatio">Root of the rounding's sum of squares over the updates': above 1 the rounding is the larger one.</param>
/// <param name="GroupsRegridded">Share of the groups that got a new grid, 0 to 1.</param>
/// <param name="Limited">Share of the matrices whose update the norm-growth limiter bound, 0 to 1.</param>
public readonly record struct LayerHealth(
    double CodesChanged, double UpdatesLost, double NoiseRatio, double GroupsRegridded, double Limited)
{
    /// <summary>Whether the matrices are codes: of dense ones nothing but <see cref="Limited"/> is counted, and the rest is 0.</summary>
    public bool HasCodes { get; init; }

    /// <summary>Of the last step that the statistics were read after.</summary>
    public static LayerHealth Of(LayerWeights layer, StepStatistics statistics)
    {
        long elements = 0, groups = 0;
        Span<long> sums = stackalloc long[UpdateCounts.Length];
        sums.Clear();
        foreach (Weight weight in layer.Matrices)
        {
            elements += weight.Parameter.Elements;
            groups += weight.Scales?.View.Elements ?? 0;
            for (int count = 0; count < sums.Length; count++)
            {
                sums[count] += statistics.CountValue(weight.Parameter.Index, (UpdateCount)count);
            }
        }

        return new LayerHealth(
            Share(sums[(int)UpdateCount.Codes], elements),
            Share(sums[(int)UpdateCount.Lost], sums[(int)UpdateCount.Moved]),
            Math.Sqrt(Share(sums[(int)UpdateCount.NoiseSquares], sums[(int)UpdateCount.MoveSquares])),
            Share(sums[(int)UpdateCount.Regridded], groups),
            Share(sums[(int)UpdateCount.Limited], layer.Matrices.Length))
        {
            HasCodes = groups > 0,
        };
    }

    private static double Share(long part, long whole) => whole == 0 ? 0 : part / (double)whole;
}
