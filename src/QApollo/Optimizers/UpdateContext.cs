using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Optimizers;

/// <summary>What an update needs beside the gradient.</summary>
/// <param name="Step">Number of the update, 1, 2, ...</param>
/// <param name="Decays">Adam's, of the updates so far.</param>
/// <param name="GradientSquares">[1, 1] F32: receives the sum of squares of the gradient.</param>
/// <param name="Counts">[1, <see cref="UpdateCounts.Length"/>] I64: receives what <see cref="UpdateCount"/> names.</param>
public readonly record struct UpdateContext(
    uint Step, float LearningRate, DecayHistory Decays, ulong Seed, RoundingMode Rounding, RegridMode Regrid, Tensor GradientSquares, Tensor Counts)
{
    /// <summary>[1, 1] I64: counts updates that the limiter bound.</summary>
    public Tensor Limited => Counts.ElementRange((int)UpdateCount.Limited, 1);
}
