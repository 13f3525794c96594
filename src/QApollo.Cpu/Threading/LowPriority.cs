using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace QApollo.Cpu.Threading;

/// <summary>Lets all other processes go first on the processor.</summary>
public static partial class LowPriority
{
    /// <summary>As of `nice` without a number.</summary>
    private const int Niceness = 10;

    /// <summary>Of this process and all that it will start; what the system refuses stays as it is.</summary>
    public static void Take()
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // There each thread has a priority of its own, and a new one that of the thread that starts it.
                // Until nothing is left to do: meanwhile one that is not low yet may have started another.
                bool any;
                do
                {
                    any = false;
                    foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
                    {
                        any |= TryLower(int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture));
                    }
                }
                while (any);
            }
            else
            {
                using var process = Process.GetCurrentProcess();
                process.PriorityClass = ProcessPriorityClass.BelowNormal;
            }
        }
        catch (Exception exception) when (exception is Win32Exception or IOException or UnauthorizedAccessException)
        {
            // A courtesy that the system does not allow.
        }
    }

    /// <returns>False where nothing was left to do, or it cannot be done.</returns>
    private static bool TryLower(int thread)
    {
        const int OfProcess = 0;
        return GetPriority(OfProcess, thread) < Niceness && SetPriority(OfProcess, thread, Niceness) == 0;
    }

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, int who);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
