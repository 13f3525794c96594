namespace QApollo.Checkpoints.Interchange;

/// <summary>What an export wrote.</summary>
/// <param name="Bytes">Of all files with weights.</param>
/// <param name="Files">The files with weights.</param>
/// <param name="Notes">What a reader of the files should know, for people.</param>
public sealed record ExportReport(long Bytes, IReadOnlyList<string> Files, IReadOnlyList<string> Notes)
{
    /// <summary>Blocks of 32 values in Q8_0; 0 for other types.</summary>
    public long Q8Blocks { get; init; }

    /// <summary>Blocks of <see cref="Q8Blocks"/> that come from INT8 groups.</summary>
    public long Int8Q8Blocks { get; init; }

    /// <summary>Blocks of <see cref="Int8Q8Blocks"/> that hold the codes without loss.</summary>
    public long LosslessQ8Blocks { get; init; }
}
