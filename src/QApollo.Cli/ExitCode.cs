namespace QApollo.Cli;

/// <summary>What the process tells its caller.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The work was begun and failed.</summary>
    public const int Failure = 1;

    /// <summary>The command line, a file or a configuration was wrong; nothing was done.</summary>
    public const int Usage = 2;

    /// <summary>Stopped when its terminal was closed (SIGHUP).</summary>
    public const int HungUp = 129;

    /// <summary>Stopped by Ctrl+C (SIGINT); a run has saved.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by SIGTERM; a run has saved.</summary>
    public const int Terminated = 143;

    /// <summary>For the help.</summary>
    public const string Meaning =
        "Exit codes: 0 done, or the time of --hours is over; 1 the work failed; 2 the command line or an input was wrong; 130 stopped by Ctrl+C, 143 by SIGTERM, "
        + "129 with its terminal (train saves first and can be resumed).";
}
