using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using QApollo.TestSupport;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Cli.Tests.Faults;

/// <summary>
/// Every command that writes, on a disk that is full, refuses, tears writes, breaks or is slow, at random calls. QAPOLLO_FAULTS sets the number of
/// rounds, QAPOLLO_FAULT_SEED which they are.
/// </summary>
public class FaultyDiskTests(ITestOutputHelper log)
{
    private const int DefaultRounds = 120;

    /// <summary>Runs where libraries can be preloaded and there is a C compiler.</summary>
    private sealed class PreloadFactAttribute : FactAttribute
    {
        public PreloadFactAttribute()
        {
            if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/cc"))
            {
                Skip = "needs Linux and a C compiler";
            }
        }
    }

    [PreloadFact]
    public void A_fault_of_a_file_ends_in_one_line_and_loses_nothing()
    {
        using var folder = new TempFolder();
        string library = folder.File("faults.so");
        using (var build = Process.Start("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-o", library, Source(), "-ldl"]))
        {
            build.WaitForExit();
            Assert.Equal(0, build.ExitCode);
        }

        string rounds = Environment.GetEnvironmentVariable("QAPOLLO_FAULTS") ?? DefaultRounds.ToString(CultureInfo.InvariantCulture);
        string seed = Environment.GetEnvironmentVariable("QAPOLLO_FAULT_SEED") ?? "1";
        using RunningProcess process = QApolloProcess.Start(folder.Path, [library, rounds, seed], variable: ("LD_PRELOAD", library), assembly: "QApollo.Cli.Tests.dll");
        ProcessResult result = process.WaitForEnd();
        log.WriteLine(result.Output);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Contains($"{rounds} rounds with faults", result.Output, StringComparison.Ordinal);
    }

    private static string Source([CallerFilePath] string path = "") => Path.Combine(Path.GetDirectoryName(path)!, "faults.c");
}
