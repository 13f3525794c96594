using System.Text.Json;

namespace QApollo.Reports.Runs;

/// <summary>Makes series of the lines of metrics.jsonl.</summary>
internal sealed class CourseReader
{
    /// <summary>Others are none of ours: a foreign file does not fill the memory.</summary>
    private static readonly string[] s_known =
        ["loss", "validationLoss", "lr", "gradientNorm", "tokensPerSecond", "changedShare", "codesChanged", "updatesLost", "noiseRatio", "groupsRegridded", "limited", "temperature", "power", "clock", "memoryClock"];

    private readonly Dictionary<string, SeriesReducer> _series = s_known.ToDictionary(name => name, _ => new SeriesReducer());

    public IReadOnlyDictionary<string, IReadOnlyList<SeriesPoint>> Series => _series.Where(pair => pair.Value.Points.Count > 0).ToDictionary(pair => pair.Key, pair => pair.Value.Points);

    public int Steps { get; private set; }

    public long Tokens { get; private set; }

    public double Seconds { get; private set; }

    /// <summary>Joules of the device, over the steps that have them.</summary>
    public double Joules { get; private set; }

    /// <summary>Tokens of those steps.</summary>
    public long MeteredTokens { get; private set; }

    public void Add(JsonElement line)
    {
        if (!line.TryGetProperty("step", out JsonElement number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out int step))
        {
            return;
        }

        if (line.TryGetProperty("loss", out _))
        {
            double speed = RealOf(line, "tokensPerSecond");
            double tokens = RealOf(line, "tokens");
            Steps = step;
            Tokens += double.IsFinite(tokens) ? (long)tokens : 0;
            Seconds += tokens / speed is var seconds && double.IsFinite(seconds) ? seconds : 0;
            if (RealOf(line, "energy") is >= 0 and var joules && double.IsFinite(joules) && double.IsFinite(tokens))
            {
                Joules += joules;
                MeteredTokens += (long)tokens;
            }
        }

        foreach (JsonProperty property in line.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Number)
            {
                Add(property.Name, step, property.Value.GetDouble());
            }
            else if (property is { Name: "health", Value.ValueKind: JsonValueKind.Object })
            {
                foreach (JsonProperty health in property.Value.EnumerateObject().Where(health => health.Value.ValueKind == JsonValueKind.Array))
                {
                    double[] layers = [.. health.Value.EnumerateArray().Where(layer => layer.ValueKind == JsonValueKind.Number).Select(layer => layer.GetDouble())];
                    Add(health.Name, step, layers.Length > 0 ? layers.Average() : double.NaN);
                }
            }
        }
    }

    private static double RealOf(JsonElement line, string name) =>
        line.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : double.NaN;

    private void Add(string name, int step, double value)
    {
        if (_series.TryGetValue(name, out SeriesReducer? series))
        {
            series.Add(step, Tokens, Seconds, value);
        }
    }
}
