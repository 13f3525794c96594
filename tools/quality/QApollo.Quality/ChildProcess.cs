using System.Diagnostics;
using System.Runtime.InteropServices;

namespace QApollo.Quality;

/// <summary>A process that is waited for whatever signals come: this one must not end before it.</summary>
internal static class ChildProcess
{
    /// <returns>Its exit code.</returns>
    public static int Run(ProcessStartInfo start)
    {
        var gate = new Lock();
        Process? child = null;

        // Ctrl+C is the terminal's, which gives it to the child as well.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => PassOn(context, "TERM"));
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => PassOn(context, "HUP"));
        lock (gate)
        {
            child = Process.Start(start) ?? throw new RunFailedException($"{start.FileName} does not start");
        }

        using (child)
        {
            child.WaitForExit();
            return child.ExitCode;
        }

        void PassOn(PosixSignalContext context, string name)
        {
            context.Cancel = true;
            lock (gate)
            {
                if (child is null)
                {
                    return;
                }
            }

            if (OperatingSystem.IsWindows())
            {
                // The system tells the child itself, and ends this process once the handler has returned.
                child.WaitForExit();
                return;
            }

            using var kill = Process.Start("/bin/sh", ["-c", $"kill -{name} {child.Id} 2>/dev/null"]);
            kill.WaitForExit();
        }
    }
}
