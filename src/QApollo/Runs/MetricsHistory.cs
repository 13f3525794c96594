using System.Text.Json;
using QApollo.Files;

namespace QApollo.Runs;

/// <summary>What metrics.jsonl tells of the steps that were done.</summary>
/// <param name="Losses">Of each step; NaN where the file has none.</param>
public sealed record MetricsHistory(IReadOnlyList<(int Step, double Loss)> Losses, IReadOnlyList<(int Step, double Loss)> Validations)
{
    internal const string SkippedName = "skipped";

    /// <summary>Steps whose update was left out.</summary>
    public IReadOnlySet<int> Skipped { get; private init; } = new HashSet<int>();

    /// <summary>Lines that a kill cut short, or that are none of this file's, are passed over; a file that is not there has none.</summary>
    /// <exception cref="RunFailedException">The file cannot be read.</exception>
    public static MetricsHistory Read(string path)
    {
        var losses = new List<(int, double)>();
        var validations = new List<(int, double)>();
        var skipped = new HashSet<int>();
        try
        {
            JsonLines.Read(path, line => Add(line, losses, validations, skipped));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return new MetricsHistory(losses, validations) { Skipped = skipped };
    }

    private static void Add(JsonElement line, List<(int Step, double Loss)> losses, List<(int Step, double Loss)> validations, HashSet<int> skipped)
    {
        if (!line.TryGetProperty("step", out JsonElement number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out int step))
        {
            return;
        }

        if (line.TryGetProperty("loss", out JsonElement loss))
        {
            losses.Add((step, RealOf(loss)));
            if (line.TryGetProperty(SkippedName, out JsonElement isSkipped) && isSkipped.ValueKind == JsonValueKind.True)
            {
                skipped.Add(step);
            }
        }
        else if (line.TryGetProperty("validationLoss", out JsonElement validation))
        {
            validations.Add((step, RealOf(validation)));
        }
    }

    private static double RealOf(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : double.NaN;
}
