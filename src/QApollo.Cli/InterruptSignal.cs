using System.Runtime.InteropServices;

namespace QApollo.Cli;

/// <summary>
/// The first Ctrl+C, SIGTERM or SIGHUP (a closed terminal, a lost connection) asks the work to end at its next safe point;
/// the second ends the process. On Windows, closing the console comes as SIGHUP and shutting down as SIGTERM, and the system
/// ends the process once their handlers have returned.
/// </summary>
internal sealed class InterruptSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly string _message;
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _hangUp;
    private readonly ManualResetEventSlim _ended = new();
    private int _received;

    /// <param name="message">Said at the first signal.</param>
    public InterruptSignal(string message)
    {
        _message = message;
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
    }

    /// <summary>What a process that was asked to stop tells its caller, as shells do: 128 and the signal's number. Null without a signal.</summary>
    public static int? ExitCode { get; private set; }

    public CancellationToken Token => _source.Token;

    /// <summary>Where the message goes; standard error unless a view is on the screen.</summary>
    public Action<string> Say { get; set; } = Console.Error.WriteLine;

    /// <summary>Called at the second signal, before the process ends.</summary>
    public Action? Abort { get; set; }

    public void Dispose()
    {
        // Before the registrations: these wait for handlers that run.
        _ended.Set();
        _interrupt.Dispose();
        _terminate.Dispose();
        _hangUp.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        // Signals that come at once are handled at once, by several threads.
        bool isFirst = Interlocked.Increment(ref _received) == 1;
        if (!isFirst && context.Signal != PosixSignal.SIGHUP)
        {
            Abort?.Invoke();
            Console.Error.WriteLine("qapollo: aborted");
            return;
        }

        // A terminal that is closed may say so twice: by itself, and through its shell.
        context.Cancel = true;
        if (isFirst)
        {
            ExitCode = context.Signal switch
            {
                PosixSignal.SIGINT => Cli.ExitCode.Interrupted,
                PosixSignal.SIGTERM => Cli.ExitCode.Terminated,
                _ => Cli.ExitCode.HungUp,
            };

            // Said first: work that has little left to do ends at once.
            Say(_message + "; once more to abort");
            _source.Cancel();
        }

        if (OperatingSystem.IsWindows() && context.Signal != PosixSignal.SIGINT)
        {
            // Until the work has ended; the system itself sets an end to it (5 s for a closed console).
            _ended.Wait();
        }
    }
}
