using QApollo.Devices;
using QApollo.Models;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>What the exchange of gradients costs a number of ranks.</summary>
/// <param name="Ranks">1 or more.</param>
/// <param name="BytesPerUpdate">Bytes that leave each rank in an update, and reach it.</param>
/// <param name="WireSeconds">Time that they take on the link.</param>
public sealed record WireCost(int Ranks, double BytesPerUpdate, double WireSeconds);

/// <summary>
/// Data parallelism on paper. Each rank sends 2 (N - 1) / N of its gradients' bytes per update, the least that a sum over N ranks
/// takes (Patarasuk and Yuan, 2009). Computation takes as long as is predicted of the kernels (<see cref="StepPrediction"/>), or the speed of
/// light where nothing is; the exchange is hidden behind as much of the backward pass as <see cref="GradientOverlap"/> lets it be at best.
/// </summary>
public sealed class RankScaling
{
    /// <summary>Of the products of a step those of the backward pass: three of four, the layer computed again among them.</summary>
    private const double BackwardShare = 0.75;

    private static readonly int[] Counts = [1, 2, 4, 8, 16, 32, 64];

    private readonly TrainingLayout _layout;
    private readonly double _gradientBytes;
    private readonly double _layerBytes;

    /// <param name="layout">Of one rank.</param>
    /// <param name="linkBytesPerSecond">What each rank can send while it receives as much; above 0.</param>
    public RankScaling(TrainingLayout layout, double linkBytesPerSecond)
    {
        (_layout, LinkBytesPerSecond) = (layout, linkBytesPerSecond);
        MemoryOptions memory = layout.Options.Memory;
        bool isNarrow = memory.WireDType == DType.BF16 || memory.GradientDType == DType.BF16;
        double Bytes(IEnumerable<Weight> weights) => weights.Sum(weight => (double)weight.Parameter.Elements * Of(weight.Parameter, isNarrow));
        (_gradientBytes, _layerBytes) = (Bytes(layout.Weights.All), layout.Weights.Layers.Sum(layer => Bytes(layer.All)));
    }

    public double LinkBytesPerSecond { get; }

    /// <summary>Of the ranks that are planned for.</summary>
    public WireCost Planned => Cost(_layout.Options.Ranks);

    /// <summary>The numbers of ranks that a report shows, the planned one among them.</summary>
    public IReadOnlyList<int> Shown => [.. Counts.Append(_layout.Options.Ranks).Distinct().Order()];

    public WireCost Cost(int ranks)
    {
        double bytes = 2.0 * (ranks - 1) / ranks * _gradientBytes;
        return new WireCost(ranks, bytes, bytes / LinkBytesPerSecond);
    }

    /// <summary>Seconds that a card computes for an update.</summary>
    public double StepSeconds(SpeedBound bound) =>
        _layout.Options.Shape.TokensPerStep / (bound.Prediction?.TokensPerSecond ?? bound.TokensPerSecond);

    /// <summary>Share of their time that so many cards compute: 0 to 1.</summary>
    public double Efficiency(SpeedBound bound, int ranks)
    {
        double step = StepSeconds(bound);
        return step / (step + ExposedSeconds(step, Cost(ranks).WireSeconds));
    }

    /// <summary>
    /// What of the exchange nothing hides: embedding and head, and of the layers all without overlap; with that of a matrix, what outlasts the last
    /// micro-batch's backward pass; with that of a layer, what outlasts the backward pass, and the gradients of the first layer.
    /// </summary>
    private double ExposedSeconds(double step, double wire)
    {
        TrainingOptions options = _layout.Options;
        double backward = BackwardShare * step;
        int layers = options.Model.NumHiddenLayers;
        double ofLayers = wire * _layerBytes / _gradientBytes;
        double exposed = options.Memory.Overlap switch
        {
            GradientOverlap.Off => ofLayers,
            GradientOverlap.Matrix => Math.Max(0, ofLayers - (backward / options.Shape.GradAccum)),
            _ => Math.Max(ofLayers / layers, ofLayers - (backward * (layers - 1) / layers)),
        };
        return wire - ofLayers + exposed;
    }

    private static int Of(Parameter parameter, bool isNarrow) => parameter.IsVector || !isNarrow ? sizeof(float) : sizeof(ushort);
}
