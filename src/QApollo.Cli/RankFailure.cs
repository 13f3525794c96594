using QApollo.Collectives;

namespace QApollo.Cli;

/// <summary>The end of a rank that failed: one message where all ranks fail alike, else its own, and the end of the others.</summary>
internal static class RankFailure
{
    /// <returns>The exit code.</returns>
    public static int Report(ICommunicator ranks, Exception exception, bool verbose)
    {
        if (exception is UsageException { OnAllRanks: true } or RunFailedException { OnAllRanks: true } or OperationCanceledException)
        {
            return ranks.Rank == 0 ? ErrorReport.Write(exception, verbose) : ErrorReport.CodeOf(exception);
        }

        int code = ErrorReport.Write(exception, verbose, $"rank {ranks.Rank}: ");
        Console.Error.Flush();
        ranks.Abort(code);
        return code;
    }
}
