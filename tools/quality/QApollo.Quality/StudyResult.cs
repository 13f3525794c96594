using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;

namespace QApollo.Quality;

/// <summary>What a study trains.</summary>
/// <param name="ModelName">A preset.</param>
/// <param name="BatchSize">Sequences of a step.</param>
/// <param name="ValidTokens">Held-out tokens of each validation.</param>
internal sealed record StudyOptions(string ModelName, Models.LlamaConfig Model, int Steps, int BatchSize, int SequenceLength, long ValidTokens, int Threads)
{
    /// <summary>A name for one run of it, as a file can have it: the same in every process.</summary>
    public string NameOf(string data, Setting setting, int seed)
    {
        string run = string.Create(CultureInfo.InvariantCulture, $"{ModelName}|{Steps}|{BatchSize}|{SequenceLength}|{ValidTokens}|{data}|{setting.Name}|{setting.LearningRate:R}|{seed}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(run)))[..12];
    }
}

/// <summary>One run, as a line of the results file.</summary>
/// <param name="Data">Fingerprint of the text.</param>
/// <param name="Loss">Held-out, the mean over the validations of the run's last fifth.</param>
/// <param name="LastLoss">Held-out, at the end.</param>
internal sealed record StudyResult(string Model, int Steps, string Data, string Setting, double LearningRate, int Seed, double Loss, double LastLoss)
{
    /// <summary>Sequences of a step.</summary>
    public int BatchSize { get; init; } = StudyRun.DefaultBatchSize;

    public int SequenceLength { get; init; } = StudyRun.DefaultSequenceLength;

    /// <summary>Held-out tokens of each validation: losses over others are other losses.</summary>
    public required long ValidTokens { get; init; }

    /// <summary>What no run can have; null where it is one.</summary>
    [JsonIgnore]
    public string? Fault =>
        Model.Length == 0 || Data.Length == 0 || Setting.Length == 0 ? "a name is empty"
        : Steps < 1 || BatchSize < 1 || SequenceLength < 2 || ValidTokens < 1 || Seed < 1 ? "a number is too small"
        : !double.IsFinite(Loss) || !double.IsFinite(LastLoss) || !double.IsFinite(LearningRate) ? "a number is not finite"
        : LearningRate <= 0 ? "learningRate is not above 0"
        : null;

    /// <summary>Whether another run is the same again.</summary>
    public bool IsRunOf(StudyOptions study, string data, Setting setting, int seed) =>
        IsOf(study, data) && Setting == setting.Name && LearningRate == setting.LearningRate && Seed == seed;

    public bool IsOf(StudyOptions study, string data) =>
        (Model, Steps, BatchSize, SequenceLength, ValidTokens, Data) == (study.ModelName, study.Steps, study.BatchSize, study.SequenceLength, study.ValidTokens, data);
}
