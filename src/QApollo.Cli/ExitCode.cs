namespace QApollo.Cli;

/// <summary>What the process tells its caller.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The work was begun and failed.</summary>
    public const int Failure = 1;

    /// <summary>The command line, a file or a configuration was wrong; nothing was done.</summary>
    public const int Usage = 2;
}
