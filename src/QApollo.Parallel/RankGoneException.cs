namespace QApollo.Parallel;

/// <summary>A rank has ended before its work was done.</summary>
/// <param name="rank">Which.</param>
public sealed class RankGoneException(int rank)
    : RunFailedException($"rank {rank} is gone, so that the others end too; what it said tells why, and --resume goes on from the last checkpoint")
{
    public int Rank { get; } = rank;
}
