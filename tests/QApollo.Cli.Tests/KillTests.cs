using System.Diagnostics;
using System.Globalization;
using QApollo.Checkpoints;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Cli.Tests;

/// <summary>
/// A killed run goes on to the same bytes. Each round starts or resumes a run that saves after every step, and
/// kills it (SIGKILL) at a random moment: while it starts, reads its checkpoint, computes or saves. Several kills later it
/// reaches its end, and every byte of the last checkpoint is compared with an uninterrupted run. QAPOLLO_KILLS sets the number
/// of kills; progress.txt in the folder of the test tells how far it is.
/// </summary>
public class KillTests(ITestOutputHelper log)
{
    private const int Steps = 200;
    private const int DefaultKills = 6;

    [Fact]
    public void A_killed_run_resumes_to_the_same_bytes()
    {
        int kills = int.TryParse(Environment.GetEnvironmentVariable("QAPOLLO_KILLS"), CultureInfo.InvariantCulture, out int value) ? value : DefaultKills;
        using var tiny = new TinyRun();
        var random = new Random(20260101);
        string last = CheckpointFolder.NameOf(Steps);
        ProcessResult whole = QApolloProcess.Run(tiny.Train("whole", Steps, "--save-every", "1"));
        Assert.True(whole.ExitCode == 0, whole.Error);

        int done = 0;
        int finished = 0;
        int insideSave = 0;
        while (done < kills)
        {
            // Measured anew for each run: how busy the machine is changes.
            double startSeconds = SecondsOfOneStep(tiny);
            string folder = tiny.RunFolder($"killed{finished}");
            while (!Directory.Exists(Path.Combine(folder, last)))
            {
                string[] arguments = CheckpointFolder.List(folder).Count == 0
                    ? tiny.Train($"killed{finished}", Steps, "--save-every", "1")
                    : ["train", "--resume", "--output-dir", folder];
                using RunningProcess process = QApolloProcess.Start(tiny.Folder, arguments);
                if (done == kills || process.EndsWithin(TimeSpan.FromSeconds(2 * startSeconds * random.NextDouble())))
                {
                    ProcessResult ended = process.WaitForEnd();
                    Assert.True(ended.ExitCode == 0, ended.Error);
                    continue;
                }

                process.Kill();
                done++;
                insideSave += Directory.Exists(folder) && Directory.EnumerateDirectories(folder, "*.partial").Any() ? 1 : 0;
            }

            TrainCommandTests.RequireEqualFolders(Path.Combine(tiny.RunFolder("whole"), last), Path.Combine(folder, last));
            finished++;
            Directory.Delete(folder, recursive: true);
            File.WriteAllText(tiny.RunFolder("progress.txt"), Summary());
        }

        log.WriteLine(Summary());

        string Summary() => $"{done} kills, {insideSave} of them inside a save; {finished} runs reached their end, all bytes equal";
    }

    /// <summary>From the start of the process to its first checkpoint and its end.</summary>
    private static double SecondsOfOneStep(TinyRun tiny)
    {
        var watch = Stopwatch.StartNew();
        ProcessResult result = QApolloProcess.Run(tiny.Train("one", 1));
        Assert.True(result.ExitCode == 0, result.Error);
        Directory.Delete(tiny.RunFolder("one"), recursive: true);
        return watch.Elapsed.TotalSeconds;
    }
}
