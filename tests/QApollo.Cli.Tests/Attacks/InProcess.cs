using System.Reflection;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>How one call of the program ended.</summary>
/// <param name="AllocatedBytes">On the managed heap, by all threads.</param>
internal sealed record CallResult(int ExitCode, string Output, string Error, long AllocatedBytes);

/// <summary>Calls the program inside this process: many times a second. It must be the only one that writes to the console meanwhile.</summary>
internal static class InProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly MethodInfo Main = Assembly.Load("qapollo").EntryPoint!;

    /// <exception cref="TimeoutException">It hangs.</exception>
    public static CallResult Run(params string[] arguments)
    {
        (TextWriter output, TextWriter error) = (Console.Out, Console.Error);
        using var writtenOutput = new StringWriter();
        using var writtenError = new StringWriter();
        long before = GC.GetTotalAllocatedBytes();
        int exitCode = -1;
        try
        {
            Console.SetOut(writtenOutput);
            Console.SetError(writtenError);
            var thread = new Thread(() => exitCode = (int)Main.Invoke(null, [arguments])!) { IsBackground = true };
            thread.Start();
            if (!thread.Join(Limit))
            {
                throw new TimeoutException($"qapollo {string.Join(' ', arguments)} did not end; it wrote: {writtenOutput} {writtenError}");
            }
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }

        return new CallResult(exitCode, writtenOutput.ToString(), writtenError.ToString(), GC.GetTotalAllocatedBytes() - before);
    }
}
