using System.Globalization;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Reports.Runs;

/// <summary>A text that a run made after a step.</summary>
public sealed record LoggedSample(int Step, string Text);

/// <summary>What the files of a run's folder tell of its course.</summary>
/// <param name="Name">The folder's.</param>
/// <param name="Series">By the names of metrics.jsonl; means over the layers for quantization health.</param>
/// <param name="Samples">The newest ones, at most <see cref="MostSamples"/>.</param>
/// <param name="Options">As run.json has them.</param>
/// <param name="Sessions">Name and value of what each start noted, the newest last.</param>
/// <param name="Seconds">Of training, the sum over the steps.</param>
public sealed record RunLog(
    string Name, IReadOnlyDictionary<string, IReadOnlyList<SeriesPoint>> Series, IReadOnlyList<LoggedSample> Samples,
    IReadOnlyList<(string Name, string Value)> Options, IReadOnlyList<IReadOnlyList<(string Name, string Value)>> Sessions, int Steps, long Tokens, double Seconds)
{
    /// <summary>Joules of the device per token, over the steps whose metrics have them; null where none has.</summary>
    public double? JoulesPerToken { get; init; }

    /// <summary>Of the device, over the same steps.</summary>
    public double Joules { get; init; }

    /// <summary>A line for each file of which something was passed over.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    public const string MetricsName = "metrics.jsonl", SamplesName = "samples.jsonl", SessionsName = "sessions.jsonl", OptionsName = "run.json";

    /// <summary>Every run.json has it, whatever the version.</summary>
    private const string MarkOfOptions = "maxSteps";

    private const int MostSamples = 20, MostSessions = 20;

    /// <param name="folder">A run's: it has a run.json.</param>
    /// <param name="capacity">Points of a curve that are kept at least: see <see cref="SeriesReducer"/>.</param>
    /// <exception cref="UsageException">The folder is none of a run.</exception>
    /// <exception cref="RunFailedException">A file cannot be read.</exception>
    public static RunLog Read(string folder, int capacity = SeriesReducer.Capacity)
    {
        string options = Path.Combine(folder, OptionsName);
        try
        {
            if (!File.Exists(options))
            {
                // Which does not tell what may not be seen from what is not there.
                RequireSeen(options);
                throw new UsageException($"{folder}: no run: {(Directory.Exists(folder) ? $"it has no {OptionsName}" : "there is no such folder")}");
            }

            using JsonDocument document = JsonFile.Read(options);
            if (!document.RootElement.TryGetProperty(MarkOfOptions, out _))
            {
                throw new UsageException($"{folder}: no run: its {OptionsName} is of another program: it has no '{MarkOfOptions}'");
            }

            var notes = new List<string>();
            void Note(string file, long lines)
            {
                if (lines > 0)
                {
                    notes.Add(string.Create(CultureInfo.InvariantCulture, $"{Path.Combine(folder, file)}: {lines:N0} {(lines == 1 ? "line that is no JSON object was" : "lines that are no JSON objects were")} passed over"));
                }
            }

            var course = new CourseReader(capacity);
            Note(MetricsName, JsonLines.Read(Path.Combine(folder, MetricsName), course.Add));
            var samples = new Queue<LoggedSample>();
            Note(SamplesName, JsonLines.Read(Path.Combine(folder, SamplesName), line => Keep(samples, SampleOf(line), MostSamples)));
            var sessions = new Queue<IReadOnlyList<(string, string)>>();
            Note(SessionsName, JsonLines.Read(Path.Combine(folder, SessionsName), line => Keep(sessions, Flat(line), MostSessions)));
            return new RunLog(
                Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))), course.Series, [.. samples], Flat(document.RootElement), [.. sessions],
                course.Steps, course.Tokens, course.Seconds)
            {
                Notes = notes,
                Joules = course.Joules,
                JoulesPerToken = course.MeteredTokens > 0 && course.Joules > 0 ? course.Joules / course.MeteredTokens : null,
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <exception cref="UnauthorizedAccessException">The folder may not be looked into.</exception>
    private static void RequireSeen(string path)
    {
        try
        {
            File.GetAttributes(path);
        }
        catch (IOException)
        {
            // It is not there.
        }
    }

    private static void Keep<T>(Queue<T> queue, T? item, int most)
        where T : class
    {
        if (item is null)
        {
            return;
        }

        queue.Enqueue(item);
        if (queue.Count > most)
        {
            queue.Dequeue();
        }
    }

    private static LoggedSample? SampleOf(JsonElement line) =>
        line.TryGetProperty("step", out JsonElement step) && step.TryGetInt32(out int number) && line.TryGetProperty("sample", out JsonElement text) && text.ValueKind == JsonValueKind.String
            ? new LoggedSample(number, text.GetString()!)
            : null;

    private static List<(string Name, string Value)> Flat(JsonElement line) => line.ValueKind != JsonValueKind.Object
        ? []
        : [.. line.EnumerateObject().Select(property => (property.Name, property.Value.ValueKind switch
        {
            JsonValueKind.String => property.Value.GetString()!,
            JsonValueKind.Array => string.Join(' ', property.Value.EnumerateArray().Select(item => item.ToString())),
            _ => property.Value.ToString(),
        }))];
}
