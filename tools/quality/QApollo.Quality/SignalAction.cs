using System.Runtime.InteropServices;

namespace QApollo.Quality;

/// <summary>What is done before Ctrl+C or SIGTERM ends the process. Not before SIGHUP: under nohup it ends nothing.</summary>
internal sealed class SignalAction : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;

    public SignalAction(Action action) =>
        _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, _ => action()))];

    public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());
}
