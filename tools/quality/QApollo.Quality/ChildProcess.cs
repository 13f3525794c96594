using System.Diagnostics;
using System.Runtime.InteropServices;

namespace QApollo.Quality;

/// <summary>A process that is waited for whatever signals come: this one must not end before it.</summary>
internal static class ChildProcess
{
    /// <summary>Exit codes of those signals: 128 and the number.</summary>
    private const int HungUp = 129, Terminated = 143;

    /// <returns>Its exit code.</returns>
    public static int Run(ProcessStartInfo start)
    {
        var gate = new Lock();
        Process? child = null;
        int passedOn = 0;
        bool isTerminated = false;

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
            return isTerminated && child.ExitCode == HungUp ? Terminated : child.ExitCode;
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

            // A second SIGTERM aborts the training, a second SIGHUP does not, and who ends a whole group (timeout, systemd) has sent one to the child.
            isTerminated |= name == "TERM";
            bool isFirst = Interlocked.Exchange(ref passedOn, 1) == 0;
            string sent = isFirst && HandlesHangUp(child.Id) ? "HUP" : name;
            using var kill = Process.Start("/bin/sh", ["-c", $"kill -{sent} {child.Id} 2>/dev/null"]);
            kill.WaitForExit();
        }
    }

    /// <summary>Whether a SIGHUP would be handled: under nohup it may be ignored, and before there is a handler it would kill.</summary>
    private static bool HandlesHangUp(int id)
    {
        try
        {
            string? caught = File.ReadLines($"/proc/{id}/status").FirstOrDefault(line => line.StartsWith("SigCgt:", StringComparison.Ordinal));
            return caught is not null && (Convert.ToUInt64(caught[7..].Trim(), 16) & 1) == 1;
        }
        catch (IOException)
        {
            // No such file system.
            return false;
        }
    }
}
