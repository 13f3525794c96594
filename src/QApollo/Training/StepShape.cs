namespace QApollo.Training;

/// <summary>How many tokens a step sees, and in what portions.</summary>
/// <param name="BatchSize">Sequences per micro-batch.</param>
/// <param name="SequenceLength">Tokens per sequence.</param>
/// <param name="GradAccum">Micro-batches per update.</param>
public readonly record struct StepShape(int BatchSize, int SequenceLength, int GradAccum)
{
    public int TokensPerMicroBatch => checked(BatchSize * SequenceLength);

    public int TokensPerStep => checked(TokensPerMicroBatch * GradAccum);
}
