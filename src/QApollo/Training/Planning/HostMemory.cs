namespace QApollo.Training.Planning;

/// <summary>Ordinary host memory of a run, beside the pinned allocation.</summary>
/// <param name="Inputs">Tokens, labels and sorted tokens of one step.</param>
/// <param name="Runtime">An allowance for the program itself: .NET, code, buffers for files.</param>
public readonly record struct HostMemory(long Inputs, long Runtime)
{
    public long TotalBytes => checked(Inputs + Runtime);

    public static HostMemory Of(TrainingLayout layout)
    {
        StepShape shape = layout.Options.Shape;

        // Tokens, labels, distinct tokens, starts and positions of every token; sort keys of one micro-batch.
        long inputs = (5L * sizeof(int) * shape.TokensPerStep) + ((long)sizeof(ulong) * shape.TokensPerMicroBatch);
        return new HostMemory(inputs, layout.Plan.Profile.HostRuntimeBytes);
    }
}
