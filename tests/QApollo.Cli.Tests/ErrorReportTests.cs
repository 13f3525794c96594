using System.Diagnostics;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>No error ends in a stack trace, not even one that nobody foresaw.</summary>
public class ErrorReportTests
{
    [Fact]
    public void An_error_that_nobody_foresaw_says_what_and_where()
    {
        string message = ErrorReport.Message(Record.Exception(Throw)!);
        Assert.StartsWith("an error in the program in QApollo.Cli.Tests.ErrorReportTests.", message, StringComparison.Ordinal);
        Assert.Contains(": InvalidOperationException: line break; --verbose", message, StringComparison.Ordinal);

        static void Throw() => throw new InvalidOperationException("line\nbreak");
    }

    [Fact]
    public void Known_errors_are_a_line_of_their_own()
    {
        Assert.Equal("a file: what is wrong", ErrorReport.Message(new RunFailedException("a file: what\nis wrong")));
        Assert.Equal("one\ntwo", ErrorReport.Message(new UsageException("one\ntwo")));
        Assert.Contains("ulimit -n", ErrorReport.Message(new FileNotFoundException("Could not load file or assembly 'X'.")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_thread_that_cannot_be_started_is_not_told_as_a_want_of_memory_alone()
    {
        Assert.Contains("ulimit -n", ErrorReport.Message(new NoThreadException()), StringComparison.Ordinal);
        Assert.Equal("asked for 5 GiB", ErrorReport.Message(new NoMemoryException("asked for 5 GiB")));
    }

    /// <summary>As this program throws it.</summary>
    private sealed class NoMemoryException(string message) : OutOfMemoryException(message);

    /// <summary>As the runtime throws it.</summary>
    private sealed class NoThreadException : OutOfMemoryException
    {
        public override string StackTrace => "   at System.Threading.Thread.StartCore()\n   at QApollo.Cpu.Threading.WorkerPool..ctor(Int32 threads)";
    }

    /// <summary>With few handles, anything can fail: the loading of the program, the report of an error.</summary>
    [Fact]
    public async Task Few_handles_are_told()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var tiny = new TinyRun();
        foreach (int handles in (int[])[40, 52, 64, 66, 70, 73, 76])
        {
            var start = new ProcessStartInfo("sh") { RedirectStandardError = true, RedirectStandardOutput = true };
            start.Environment["DOTNET_EnableDiagnostics"] = "0";
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add($"ulimit -n {handles}; exec dotnet \"$0\" \"$@\"");
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "qapollo.dll"));
            foreach (string argument in tiny.Train($"run{handles}", 1).Select(argument => argument == "1" ? "2" : argument))
            {
                start.ArgumentList.Add(argument);
            }

            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            string error = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();

            Assert.True(process.ExitCode is 0 or 1, $"{handles} handles: exit code {process.ExitCode}: {error}{await output}");
            if (process.ExitCode == 1)
            {
                Assert.StartsWith("qapollo: ", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
                Assert.Contains("ulimit -n", error, StringComparison.Ordinal);
            }
        }
    }
}
