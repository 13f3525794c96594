namespace QApollo.Training;

/// <summary>What a step reports.</summary>
/// <param name="Step">Number of the update, 1, 2, ...</param>
/// <param name="Loss">Mean over the step's counted tokens, in nats.</param>
/// <param name="Tokens">Counted tokens.</param>
/// <param name="GradientNorm">L2 norm of the whole gradient, summed up while it was released; NaN where none was computed.</param>
/// <param name="ChangedShare">Share of the attention and MLP weights whose stored value (code or residual) changed, 0 to 1.</param>
public readonly record struct StepResult(
    int Step, double Loss, float LearningRate, int Tokens, double GradientNorm, double ChangedShare)
{
    /// <summary>Whether the step ended with its loss: no gradient, no byte of weights or optimizer state changed.</summary>
    public bool IsSkipped { get; init; }
}
