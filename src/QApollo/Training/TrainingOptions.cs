using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;

namespace QApollo.Training;

/// <summary>Everything that decides what a training run computes, except the text.</summary>
public sealed record TrainingOptions
{
    public required LlamaConfig Model { get; init; }

    public required StepShape Shape { get; init; }

    public required LearningRateSchedule Schedule { get; init; }

    public OptimizerOptions Optimizer { get; init; } = new();

    public QuantizationOptions Quantization { get; init; } = new();

    public MemoryOptions Memory { get; init; } = new();

    /// <summary>Keys the initial weights, projections and rounding.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// The token that ends a document: attention then stays within documents, and positions count from where they start. Null:
    /// attention looks over whole sequences.
    /// </summary>
    public int? DocumentEnd { get; init; }

    /// <summary>Processes that train together, each on as many micro-batches as <see cref="Shape"/> says.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Tokens of a text sample between steps, prompt included: at most a sequence; 0 when none is ever made.</summary>
    public int SampleTokens { get; init; }
}
