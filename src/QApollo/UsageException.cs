namespace QApollo;

/// <summary>
/// Bad input from the user, found before any work was done: exit code 2. The message is one line that says what,
/// where, and what would be right.
/// </summary>
public sealed class UsageException : Exception
{
    public UsageException(string message)
        : base(message)
    {
    }

    public UsageException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Every rank of the run throws it: one message is enough.</summary>
    public bool OnAllRanks { get; init; }
}
