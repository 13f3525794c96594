namespace QApollo.Training;

/// <summary>How many tokens a step sees, and in what portions.</summary>
/// <param name="BatchSize">Sequences per micro-batch.</param>
/// <param name="SequenceLength">Tokens per sequence.</param>
/// <param name="GradAccum">Micro-batches per update.</param>
public readonly record struct StepShape(int BatchSize, int SequenceLength, int GradAccum)
{
    /// <summary>The rehearsal of a step takes time and memory with every micro-batch.</summary>
    public const int MaxGradAccum = 1024;

    /// <summary>More than any published run takes at once; each token costs host memory.</summary>
    public const int MaxTokensPerStep = 1 << 24;

    public int TokensPerMicroBatch => checked(BatchSize * SequenceLength);

    public int TokensPerStep => checked(TokensPerMicroBatch * GradAccum);

    /// <exception cref="UsageException">A size is out of its range.</exception>
    public void Validate()
    {
        if (BatchSize < 1 || SequenceLength < 1 || GradAccum is < 1 or > MaxGradAccum)
        {
            throw new UsageException(
                $"--batch-size {BatchSize}, --seq-len {SequenceLength}, --grad-accum {GradAccum}: all must be at least 1, --grad-accum at most {MaxGradAccum}");
        }

        if ((Int128)BatchSize * SequenceLength * GradAccum > MaxTokensPerStep)
        {
            throw new UsageException(
                $"--batch-size {BatchSize} x --seq-len {SequenceLength} x --grad-accum {GradAccum}: at most {MaxTokensPerStep} tokens go into one update");
        }
    }
}
