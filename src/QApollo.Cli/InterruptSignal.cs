using System.Runtime.InteropServices;

namespace QApollo.Cli;

/// <summary>The first Ctrl+C or SIGTERM asks the work to end at its next safe point; the second ends the process.</summary>
internal sealed class InterruptSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly string _message;
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    /// <param name="message">Said at the first signal.</param>
    public InterruptSignal(string message)
    {
        _message = message;
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Where the message goes; standard error unless a view is on the screen.</summary>
    public Action<string> Say { get; set; } = Console.Error.WriteLine;

    /// <summary>Called at the second signal, before the process ends.</summary>
    public Action? Abort { get; set; }

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested)
        {
            Abort?.Invoke();
            return;
        }

        context.Cancel = true;
        _source.Cancel();
        Say(_message + "; once more to abort");
    }
}
