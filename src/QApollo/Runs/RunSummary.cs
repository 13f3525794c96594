using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Files;

namespace QApollo.Runs;

/// <summary>How a run stands.</summary>
public enum RunCondition
{
    /// <summary>A process is at work in its folder.</summary>
    Running,

    /// <summary>All its steps are done.</summary>
    Finished,

    /// <summary>It ended before, and can be resumed from its newest checkpoint.</summary>
    Stopped,

    /// <summary>It ended before its first checkpoint.</summary>
    Unsaved,
}

/// <summary>A run as its folder tells of it.</summary>
/// <param name="Steps">Of its newest checkpoint; while it is running, of its metrics.</param>
/// <param name="MaxSteps">Of the whole run; null where run.json does not tell.</param>
/// <param name="Loss">Of the last of these steps, in nats; NaN where there is none.</param>
/// <param name="ValidationLoss">Of the last validation up to there, in nats; NaN where there is none.</param>
/// <param name="Bytes">On disk.</param>
/// <param name="Changed">When its metrics were written last, in UTC.</param>
public sealed record RunSummary(
    string Folder, RunCondition State, int Steps, int? MaxSteps, double Loss, double ValidationLoss, long Bytes, DateTime Changed)
{
    private const string OptionsFile = "run.json";
    private const string MetricsName = "metrics.jsonl";

    /// <summary>The runs in a folder and in the folders right below it, the one that changed last first.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public static IReadOnlyList<RunSummary> List(string folder)
    {
        IEnumerable<string> folders = Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Prepend(folder) : [];
        return [.. folders.Where(IsRun).Select(Read).OrderByDescending(run => run.Changed).ThenBy(run => run.Folder, StringComparer.Ordinal)];
    }

    private static bool IsRun(string folder) => File.Exists(Path.Combine(folder, OptionsFile));

    private static RunSummary Read(string folder)
    {
        bool isRunning = FolderLock.IsHeld(folder);
        string metrics = Path.Combine(folder, MetricsName);
        MetricsHistory history = TryReadMetrics(metrics);
        IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(folder);
        int saved = checkpoints.Count > 0 ? checkpoints[^1].Step : 0;
        int steps = isRunning && history.Losses.Count > 0 ? Math.Max(saved, history.Losses[^1].Step) : saved;
        int? maxSteps = MaxStepsOf(Path.Combine(folder, OptionsFile));
        RunCondition state = isRunning ? RunCondition.Running : steps == 0 ? RunCondition.Unsaved : steps >= maxSteps ? RunCondition.Finished : RunCondition.Stopped;
        DateTime changed = File.GetLastWriteTimeUtc(File.Exists(metrics) ? metrics : Path.Combine(folder, OptionsFile));
        return new RunSummary(folder, state, steps, maxSteps, Last(history.Losses, steps), Last(history.Validations, steps), BytesOf(folder), changed);
    }

    private static double Last(IReadOnlyList<(int Step, double Loss)> losses, int steps)
    {
        for (int i = losses.Count - 1; i >= 0; i--)
        {
            if (losses[i].Step <= steps)
            {
                return losses[i].Loss;
            }
        }

        return double.NaN;
    }

    private static MetricsHistory TryReadMetrics(string path)
    {
        try
        {
            return MetricsHistory.Read(path);
        }
        catch (RunFailedException)
        {
            return new MetricsHistory([], []);
        }
    }

    private static int? MaxStepsOf(string path)
    {
        try
        {
            using JsonDocument document = JsonFile.Read(path);
            return document.RootElement.TryGetProperty("maxSteps", out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int steps)
                ? steps : null;
        }
        catch (RunFailedException)
        {
            return null;
        }
    }

    /// <summary>Files that vanish meanwhile, as those of a running run do, count nothing.</summary>
    private static long BytesOf(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        long bytes = 0;
        foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles("*", options))
        {
            file.Refresh();
            bytes += file.Exists ? file.Length : 0;
        }

        return bytes;
    }
}
