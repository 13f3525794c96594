namespace QApollo.Batches;

/// <summary>How far a source of a mixture has been read.</summary>
/// <param name="Visited">Sequences read of it, all epochs together.</param>
/// <param name="PerEpoch">Sequences that it has.</param>
public readonly record struct SourceProgress(string Name, double Weight, long Visited, long PerEpoch)
{
    public double Epochs => (double)Visited / PerEpoch;
}
