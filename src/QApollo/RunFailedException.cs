namespace QApollo;

/// <summary>
/// Work that was asked for correctly and could not be done (a broken file, a full disk, a loss that is not finite):
/// exit code 1. The message is one line that says what, where, and what would help.
/// </summary>
public class RunFailedException : Exception
{
    public RunFailedException(string message)
        : base(message)
    {
    }

    public RunFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Every rank of the run throws it: one message is enough.</summary>
    public bool OnAllRanks { get; init; }
}
