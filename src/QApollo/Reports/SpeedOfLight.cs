using QApollo.Memory;
using QApollo.Models;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>What a card allows at the very best.</summary>
/// <param name="TokensPerSecond">Upper bound of training speed.</param>
/// <param name="IsBandwidthBound">Memory traffic, not arithmetic, sets the bound.</param>
/// <param name="Fits">The plan is within the card's usable memory.</param>
/// <param name="Prediction">What the shipped kernels are predicted to reach; null for a device without those kernels.</param>
public sealed record SpeedBound(Card Card, double TokensPerSecond, bool IsBandwidthBound, bool Fits, StepPrediction? Prediction)
{
    /// <summary>Days to train on a billion tokens at that speed.</summary>
    public double DaysPerBillionTokens => 1e9 / TokensPerSecond / 86_400;
}

/// <summary>
/// Bounds of the training speed from the work that no implementation can avoid. Computing a layer a second time in the
/// backward pass is not counted: it serves memory, not the result.
/// </summary>
public static class SpeedOfLight
{
    /// <summary>
    /// FLOP per trained token: 6 for every weight of a matrix (2 forward, 4 backward; Kaplan et al., arXiv 2001.08361),
    /// and 6 T A per layer for causal attention, with T tokens per sequence and A attention features: 2 T A for the two
    /// products of the forward pass, half of which the causal mask removes, and twice that backward.
    /// </summary>
    public static double FlopsPerToken(LlamaConfig model, int sequenceLength)
    {
        double matrices = ParameterTable.Of(model).Where(parameter => parameter.IsMatrix).Sum(parameter => (double)parameter.Elements);
        double head = (double)model.VocabSize * model.HiddenSize;
        double attention = (double)model.NumHiddenLayers * sequenceLength * model.QuerySize;
        return 6 * (matrices + head + attention);
    }

    /// <summary>
    /// Bytes that a step must move at least: every stored weight is read by the forward and by the backward pass and
    /// written by the update; residual bits and optimizer state are read and written; every gradient is written and read; every layer's
    /// input is kept and fetched.
    /// </summary>
    public static double BytesPerStep(TrainingLayout layout)
    {
        double weights = 0;
        double optimizer = 0;
        foreach (PlannedTensor tensor in layout.Plan.Table.Tensors)
        {
            switch (tensor.Category)
            {
                case TensorCategory.Codes or TensorCategory.Scales or TensorCategory.EmbeddingAndHead:
                    weights += tensor.Bytes;
                    break;
                case TensorCategory.Optimizer or TensorCategory.Residuals:
                    optimizer += tensor.Bytes;
                    break;
                default:
                    break;
            }
        }

        TrainingOptions options = layout.Options;
        double gradients = layout.Weights.All.Sum(weight => (double)weight.Parameter.Elements) * Devices.DTypeExtensions.Size(options.Memory.GradientDType);
        double boundaries = (double)options.Model.NumHiddenLayers * options.Shape.TokensPerStep * options.Model.HiddenSize
            * BoundaryStore.KeptBytes(options.Memory, layout.Plan.Profile);
        return (3 * weights) + (2 * optimizer) + (2 * gradients) + (2 * boundaries);
    }

    /// <summary>The bounds of all known cards.</summary>
    public static IReadOnlyList<SpeedBound> Bounds(TrainingLayout layout)
    {
        StepShape shape = layout.Options.Shape;
        double flops = FlopsPerToken(layout.Options.Model, shape.SequenceLength) * shape.TokensPerStep;
        double bytes = BytesPerStep(layout);
        IReadOnlyDictionary<OperationWork, int>? work = StepPrediction.IsFor(layout) ? StepWork.Of(layout) : null;
        return
        [
            .. Cards.All.Select(card =>
            {
                double compute = flops / card.BFloatFlops;
                double traffic = bytes / card.BytesPerSecond;
                return new SpeedBound(
                    card, shape.TokensPerStep / Math.Max(compute, traffic), traffic > compute, layout.Plan.DeviceTotalBytes <= card.UsableBytes,
                    work is null ? null : StepPrediction.Of(layout, work, card));
            }),
        ];
    }
}
