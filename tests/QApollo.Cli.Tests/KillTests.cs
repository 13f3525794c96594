using System.Diagnostics;
using System.Globalization;
using QApollo.Checkpoints;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Cli.Tests;

/// <summary>
/// A killed run goes on to the same bytes. Each round starts or resumes a run that saves after every step, and
/// kills it (SIGKILL) at a random moment, also inside a save; when it reaches its end, every byte of the last checkpoint
/// is compared with an uninterrupted run. QAPOLLO_KILLS sets the number of kills.
/// </summary>
public class KillTests(ITestOutputHelper log)
{
    private const int Steps = 60;
    private const int DefaultKills = 6;

    [Fact]
    public void A_killed_run_resumes_to_the_same_bytes()
    {
        int kills = int.TryParse(Environment.GetEnvironmentVariable("QAPOLLO_KILLS"), CultureInfo.InvariantCulture, out int value) ? value : DefaultKills;
        using var tiny = new TinyRun();
        var random = new Random(20260101);
        string last = CheckpointFolder.NameOf(Steps);
        var watch = Stopwatch.StartNew();
        ProcessResult whole = QApolloProcess.Run(tiny.Train("whole", Steps, "--save-every", "1"));
        Assert.True(whole.ExitCode == 0, whole.Error);
        double runSeconds = watch.Elapsed.TotalSeconds;

        int done = 0;
        int finished = 0;
        int insideSave = 0;
        for (int run = 0; done < kills; run++)
        {
            string folder = tiny.RunFolder($"killed{run}");
            while (!Directory.Exists(Path.Combine(folder, last)))
            {
                string[] arguments = CheckpointFolder.List(folder).Count == 0
                    ? tiny.Train($"killed{run}", Steps, "--save-every", "1")
                    : ["train", "--resume", "--output-dir", folder];
                using Process process = QApolloProcess.Start(tiny.Folder, arguments, out _, out var error);
                bool ended = process.WaitForExit(TimeSpan.FromSeconds(done < kills ? random.NextDouble() * runSeconds : 180));
                if (ended)
                {
                    process.WaitForExit();
                    Assert.True(process.ExitCode == 0, error.ToString());
                    continue;
                }

                process.Kill();
                process.WaitForExit();
                done++;
                insideSave += Directory.Exists(folder) && Directory.EnumerateDirectories(folder, "*.partial").Any() ? 1 : 0;
            }

            TrainCommandTests.RequireEqualFolders(Path.Combine(tiny.RunFolder("whole"), last), Path.Combine(folder, last));
            finished++;
            Directory.Delete(folder, recursive: true);
        }

        log.WriteLine($"{done} kills, {insideSave} of them inside a save; {finished} runs reached their end, all bytes equal");
    }
}
