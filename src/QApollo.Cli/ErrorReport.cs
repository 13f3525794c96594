using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using QApollo.Cli.Views;
using QApollo.Cuda.Driver;

namespace QApollo.Cli;

/// <summary>The last line of a run that failed: what is wrong, and where. No error, foreseen or not, ends in a stack trace unless --verbose asks for it.</summary>
internal static class ErrorReport
{
    /// <summary>EMFILE.</summary>
    private const int TooManyOpenFiles = 24;

    private const string TooLittle = " (more open files or memory may be needed than are allowed: see ulimit -n and -v)";

    private const string NoThread = "a thread cannot be started: more open files, threads or memory are needed than are allowed (see ulimit -n, -u and -v)";

    /// <summary>Also for errors of other threads, which would end the process past every handler.</summary>
    public static void CatchAll(bool verbose) => AppDomain.CurrentDomain.UnhandledException += (_, fault) =>
    {
        if (fault.ExceptionObject is Exception exception)
        {
            Environment.Exit(Write(exception, verbose));
        }
    };

    /// <param name="rank">Who speaks, where there are several.</param>
    /// <returns>The exit code.</returns>
    public static int Write(Exception exception, bool verbose, string rank = "")
    {
        try
        {
            return WriteInFull(exception, verbose, rank);
        }
        catch (Exception)
        {
            // Not even what the report needs can be loaded or opened, for want of handles as a rule.
            WriteBare(exception);
            return ExitCode.Failure;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int WriteInFull(Exception exception, bool verbose, string rank)
    {
        Exception cause = Cause(exception);
        Console.Error.WriteLine($"qapollo: {rank}{(verbose ? exception.ToString() : Message(cause))}");
        return CodeOf(cause);
    }

    public static int CodeOf(Exception exception) => exception switch
    {
        UsageException => ExitCode.Usage,
        OperationCanceledException => InterruptSignal.ExitCode ?? ExitCode.Failure,
        _ => ExitCode.Failure,
    };

    /// <summary>By nothing but the runtime's own core, and without opening anything.</summary>
    private static void WriteBare(Exception exception)
    {
        try
        {
            const int StandardError = 2;
            using var handle = new SafeFileHandle(StandardError, ownsHandle: false);
            string line = Cause(exception).Message.ReplaceLineEndings(" ").TrimEnd();
            using var error = new FileStream(handle, FileAccess.Write, bufferSize: 0);
            error.Write(Encoding.UTF8.GetBytes($"qapollo: {line}{TooLittle}\n"));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // There is no one to tell but the caller.
        }
    }

    internal static string Message(Exception exception) => exception switch
    {
        // Several faults of a command line have a line each.
        UsageException => exception.Message,
        OperationCanceledException => "stopped",
        OutOfMemoryException when IsThreadStart(exception) => NoThread,
        OutOfMemoryException => Printable.OnOneLine(exception.Message),
        IOException when IsOfConsole(exception) => $"standard output cannot be written: {Printable.OnOneLine(exception.Message)}",
        RunFailedException or CudaException or IOException or UnauthorizedAccessException => Printable.OnOneLine(exception.Message) + Hint(exception),
        // TorchSharp passes on libtorch's, with the stack of its C++ code.
        ExternalException => $"libtorch: {Printable.OnOneLine(exception.Message.Split('\n')[0])}",
        _ => $"an error in the program{Where(exception)}: {exception.GetType().Name}: {Printable.OnOneLine(exception.Message)}; --verbose tells more, please report it",
    };

    /// <summary>The runtime speaks of memory there whatever it lacks.</summary>
    private static bool IsThreadStart(Exception exception) => exception.StackTrace?.Contains("System.Threading.Thread.Start", StringComparison.Ordinal) ?? false;

    /// <summary>The one stream whose errors name no file.</summary>
    private static bool IsOfConsole(Exception exception) => exception.StackTrace?.Contains("System.ConsolePal.", StringComparison.Ordinal) ?? false;

    /// <summary>What lies inside the wrappers of threads, tasks and static constructors.</summary>
    private static Exception Cause(Exception exception)
    {
        while (exception is AggregateException or TypeInitializationException or TaskSchedulerException or System.Reflection.TargetInvocationException && exception.InnerException is { } inner)
        {
            exception = inner;
        }

        return exception;
    }

    private static string Hint(Exception exception)
    {
        bool isTooMany = false;
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            isTooMany |= (cause.HResult == TooManyOpenFiles && !OperatingSystem.IsWindows())
                || (cause is FileNotFoundException or FileLoadException && cause.Message.Contains("assembly", StringComparison.Ordinal));
        }

        return isTooMany ? TooLittle : string.Empty;
    }

    /// <summary>The program's innermost method: " in QApollo.Cli.Program.Main".</summary>
    private static string Where(Exception exception)
    {
        const string Begin = "at QApollo.";
        string? frame = exception.StackTrace?.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.StartsWith(Begin, StringComparison.Ordinal));
        return frame is null ? string.Empty : string.Concat(" in ", frame.AsSpan(3, Math.Max(0, frame.IndexOf('(', StringComparison.Ordinal) - 3)));
    }
}
