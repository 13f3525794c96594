using System.Text.Json;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>What the folder of a run says about how a model was trained; nothing for a model from elsewhere.</summary>
internal sealed record TrainingFacts
{
    /// <summary>Names of the files or folders of text, without their paths.</summary>
    public IReadOnlyList<string> Data { get; private init; } = [];

    public string? Optimizer { get; private init; }

    /// <summary>Of the last step, in nats per token.</summary>
    public double? Loss { get; private init; }

    /// <summary>The newest one, in nats per token.</summary>
    public double? ValidationLoss { get; private init; }

    /// <summary>What there is; files that are missing or broken tell nothing.</summary>
    public static TrainingFacts Of(ModelFolder model)
    {
        if (model.State is null || Path.GetDirectoryName(Path.GetFullPath(model.Path)) is not { } run)
        {
            return new TrainingFacts();
        }

        var facts = new TrainingFacts();
        try
        {
            using JsonDocument options = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(run, "run.json")));
            facts = facts with
            {
                Data = options.RootElement.TryGetProperty("data", out JsonElement data) && data.ValueKind == JsonValueKind.Array
                    ? [.. data.EnumerateArray().Where(path => path.ValueKind == JsonValueKind.String).Select(path => Path.GetFileName(Path.TrimEndingDirectorySeparator(path.GetString()!)))]
                    : [],
                Optimizer = options.RootElement.TryGetProperty("optimizer", out JsonElement optimizer) && optimizer.ValueKind == JsonValueKind.String ? optimizer.GetString() : null,
            };
            foreach (string line in File.ReadLines(Path.Combine(run, "metrics.jsonl")))
            {
                using JsonDocument metrics = JsonDocument.Parse(line);
                if (metrics.RootElement.TryGetProperty("step", out JsonElement step) && step.GetInt32() <= model.State.Step)
                {
                    facts = facts with
                    {
                        Loss = Number(metrics.RootElement, "loss") ?? facts.Loss,
                        ValidationLoss = Number(metrics.RootElement, "validationLoss") ?? facts.ValidationLoss,
                    };
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or FormatException)
        {
            // A card tells less then; it is no part of the model.
        }

        return facts;
    }

    private static double? Number(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
