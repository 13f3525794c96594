using QApollo.Collectives;
using QApollo.Parallel;

namespace QApollo.Cli;

/// <summary>The end of a rank that failed: one message where all ranks fail alike, else its own, and the end of the others.</summary>
internal static class RankFailure
{
    /// <returns>The exit code.</returns>
    public static int Report(ICommunicator ranks, Exception exception, bool verbose)
    {
        if (exception is StoppedTogetherException)
        {
            // Only the one that was asked to knows by what.
            int signal = ranks.Max(InterruptSignal.ExitCode ?? ExitCode.Failure);
            _ = ranks.Rank == 0 ? ErrorReport.Write(exception, verbose) : signal;
            return signal;
        }

        if (exception is UsageException { OnAllRanks: true } or RunFailedException { OnAllRanks: true } or OperationCanceledException)
        {
            return ranks.Rank == 0 ? ErrorReport.Write(exception, verbose) : ErrorReport.CodeOf(exception);
        }

        int code = ErrorReport.Write(exception, verbose, $"rank {ranks.Rank}: ");
        Console.Error.Flush();
        ranks.Abort(code);
        return code;
    }

    /// <summary>Of a process that knows nothing of the other ranks yet.</summary>
    /// <inheritdoc cref="Report"/>
    public static int ReportAlone(UsageException exception, bool verbose)
    {
        switch (Spokesman.Of(Environment.GetEnvironmentVariable))
        {
            case Voice.Full:
                return ErrorReport.Write(exception, verbose);
            case Voice.Short:
                Console.Error.WriteLine($"rank {Environment.GetEnvironmentVariable("RANK")} ends too: {exception.Message.Split(": ")[0]}");
                break;
        }

        return ErrorReport.CodeOf(exception);
    }
}
