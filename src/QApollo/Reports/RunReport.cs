using System.Text.Json;
using QApollo.Files;
using QApollo.Runs;

namespace QApollo.Reports;

/// <summary>A run as its folder tells of it, for people to look at.</summary>
/// <param name="Folder">As it was named.</param>
/// <param name="Options">Of run.json: names and values, in its order.</param>
/// <param name="Environment">Of environment.json; empty where there is none.</param>
/// <param name="Samples">Text samples with the steps that they were made after, in their order.</param>
/// <param name="IsRunning">Whether a process is at work in the folder.</param>
public sealed record RunReport(
    string Folder, IReadOnlyList<(string Name, string Value)> Options, IReadOnlyList<(string Name, string Value)> Environment,
    RunCurves Curves, IReadOnlyList<(int Step, string Text)> Samples, bool IsRunning)
{
    private const string OptionsFile = "run.json";

    /// <summary>Folder name alone.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    /// <summary>Updates that the whole run is to have; null where run.json does not tell.</summary>
    public int? MaxSteps => int.TryParse(Options.FirstOrDefault(option => option.Name == "maxSteps").Value, out int steps) ? steps : null;

    /// <exception cref="UsageException">There is no such folder, or it is of no run, or the run has no steps yet.</exception>
    /// <exception cref="RunFailedException">A file of the run is damaged or cannot be read.</exception>
    /// <param name="mayBeEmpty">Whether a run without steps is fine: it may have just begun.</param>
    public static RunReport Read(string folder, bool mayBeEmpty = false)
    {
        if (!Directory.Exists(folder))
        {
            throw new UsageException($"{folder}: no such folder; name the folder of a run (qapollo runs lists them)");
        }

        string options = Path.Combine(folder, OptionsFile);
        if (!File.Exists(options))
        {
            RequireAccess(folder);
            throw new UsageException($"{folder}: is no folder of a run: it has no {OptionsFile} (qapollo runs lists runs)");
        }

        string environment = Path.Combine(folder, RunEnvironment.Name);
        var report = new RunReport(
            folder, Facts(options), File.Exists(environment) ? Facts(environment) : [], RunCurves.Read(Path.Combine(folder, "metrics.jsonl")),
            SamplesFile.Read(folder), FolderLock.IsHeld(folder));
        return mayBeEmpty || report.Curves.Steps.Points > 0
            ? report
            : throw new UsageException($"{folder}: the run has no steps yet; report on it when it has, or with --follow");
    }

    /// <summary>A folder that may not be read looks like an empty one.</summary>
    private static void RequireAccess(string folder)
    {
        try
        {
            using IEnumerator<string> entries = Directory.EnumerateFileSystemEntries(folder).GetEnumerator();
            entries.MoveNext();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: cannot be read: {exception.Message}", exception);
        }
    }

    private static List<(string Name, string Value)> Facts(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        return
        [
            .. document.RootElement.EnumerateObject().Select(property => (property.Name, property.Value.ValueKind == JsonValueKind.Array
                ? string.Join(' ', property.Value.EnumerateArray().Select(item => item.ToString()))
                : property.Value.ToString())),
        ];
    }
}
