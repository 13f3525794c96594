using System.Text.Json;

namespace QApollo.Quality;

/// <summary>What a study trains.</summary>
/// <param name="ModelName">A preset.</param>
/// <param name="BatchSize">Sequences of a step.</param>
/// <param name="ValidTokens">Held-out tokens of each validation.</param>
internal sealed record StudyOptions(string ModelName, Models.LlamaConfig Model, int Steps, int BatchSize, int SequenceLength, long ValidTokens, int Threads);

/// <summary>One run, as a line of the results file.</summary>
/// <param name="Data">Fingerprint of the text.</param>
/// <param name="Loss">Held-out, the mean over the validations of the run's last fifth.</param>
/// <param name="LastLoss">Held-out, at the end.</param>
internal sealed record StudyResult(string Model, int Steps, string Data, string Setting, double LearningRate, int Seed, double Loss, double LastLoss)
{
    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Sequences of a step.</summary>
    public int BatchSize { get; init; } = StudyRun.DefaultBatchSize;

    public int SequenceLength { get; init; } = StudyRun.DefaultSequenceLength;

    /// <summary>Whether another run is the same again.</summary>
    public bool IsRunOf(StudyOptions study, string data, Setting setting, int seed) =>
        IsOf(study, data) && Setting == setting.Name && LearningRate == setting.LearningRate && Seed == seed;

    public bool IsOf(StudyOptions study, string data) =>
        (Model, Steps, BatchSize, SequenceLength, Data) == (study.ModelName, study.Steps, study.BatchSize, study.SequenceLength, data);

    /// <summary>All runs of a file; none where there is no file. A last line that a kill cut short does not count.</summary>
    public static List<StudyResult> ReadAll(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using FileStream file = Open(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        using var reader = new StreamReader(file);
        string text = reader.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<StudyResult>(line, s_options)!)];
    }

    /// <summary>Adds a line, in place of one that was cut short.</summary>
    public static void Append(string path, StudyResult result)
    {
        using FileStream file = Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        file.SetLength(Array.LastIndexOf(bytes, (byte)'\n') + 1);
        file.Seek(0, SeekOrigin.End);
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(result, s_options), (byte)'\n']);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Waits while another study adds its line.</summary>
    private static FileStream Open(string path, FileMode mode, FileAccess access, FileShare share)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(path, mode, access, share);
            }
            catch (IOException) when (attempt < 1000)
            {
                Thread.Sleep(10);
            }
        }
    }
}
