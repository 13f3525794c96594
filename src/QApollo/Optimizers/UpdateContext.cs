using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Optimizers;

/// <summary>What an update needs beside the gradient.</summary>
/// <param name="Step">Number of the update, 1, 2, ...</param>
/// <param name="GradientSquares">[1, 1] F32: receives the sum of squares of the gradient.</param>
/// <param name="Changed">[1, 1] I32: receives the number of stored values that changed.</param>
public readonly record struct UpdateContext(
    uint Step, float LearningRate, ulong Seed, RoundingMode Rounding, RegridMode Regrid, Tensor GradientSquares, Tensor Changed);
