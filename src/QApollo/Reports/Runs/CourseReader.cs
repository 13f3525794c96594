using System.Text;
using System.Text.Json;

namespace QApollo.Reports.Runs;

/// <summary>Makes series of the lines of metrics.jsonl, as they are: of a long run there are a million, so that none becomes a document in memory.</summary>
/// <param name="capacity">Of a <see cref="SeriesReducer"/>.</param>
internal sealed class CourseReader(int capacity)
{
    private const string Loss = "loss", Speed = "tokensPerSecond", StepTokens = "tokens", Energy = "energy";

    /// <summary>Others are none of ours: a foreign file does not fill the memory.</summary>
    private static readonly string[] s_drawn =
        [Loss, "lr", Speed, "gradientNorm", "changedShare", "validationLoss", "codesChanged", "updatesLost", "noiseRatio", "groupsRegridded", "limited", "temperature", "power", "clock", "memoryClock"];

    private static readonly string[] s_known = [.. s_drawn, StepTokens, Energy];

    private static readonly byte[][] s_names = [.. s_known.Select(Encoding.UTF8.GetBytes)];

    private static readonly int s_loss = Array.IndexOf(s_known, Loss), s_speed = Array.IndexOf(s_known, Speed), s_tokens = Array.IndexOf(s_known, StepTokens), s_energy = Array.IndexOf(s_known, Energy);

    /// <summary>More tokens, seconds and joules than one step can have: such a line is damaged, and the sums stay finite.</summary>
    private const double MostTokens = int.MaxValue, MostSeconds = 1e9, MostJoules = 1e12;

    private readonly SeriesReducer[] _series = [.. s_drawn.Select(_ => new SeriesReducer(capacity))];
    private readonly double[] _values = new double[s_known.Length];

    public IReadOnlyDictionary<string, IReadOnlyList<SeriesPoint>> Series =>
        s_drawn.Zip(_series, (name, series) => (name, series.Points)).Where(series => series.Points.Count > 0).ToDictionary(series => series.name, series => series.Points);

    public int Steps { get; private set; }

    public long Tokens { get; private set; }

    public double Seconds { get; private set; }

    /// <summary>Joules of the device, over the steps that have them.</summary>
    public double Joules { get; private set; }

    /// <summary>Tokens of those steps.</summary>
    public long MeteredTokens { get; private set; }

    /// <exception cref="JsonException">No JSON object; nothing was taken of it.</exception>
    /// <exception cref="InvalidOperationException">A name in it is not valid Unicode.</exception>
    public void Add(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("no object");
        }

        Array.Fill(_values, double.NaN);
        (int? step, bool isStep) = (null, false);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isNumber = reader.ValueTextEquals("step"u8), isHealth = reader.ValueTextEquals("health"u8);
            int known = Known(ref reader);
            isStep |= known == s_loss;
            reader.Read();
            if (reader.TokenType == JsonTokenType.Number)
            {
                if (isNumber)
                {
                    step = reader.TryGetInt32(out int value) ? value : null;
                }
                else if (known >= 0)
                {
                    _values[known] = reader.TryGetDouble(out double value) ? value : double.NaN;
                }
            }
            else if (isHealth && reader.TokenType == JsonTokenType.StartObject)
            {
                ReadHealth(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        if (step is { } number)
        {
            Take(number, isStep);
        }
    }

    /// <summary>Index in <see cref="s_known"/> of the name that was read; -1 for none.</summary>
    private static int Known(ref Utf8JsonReader reader)
    {
        for (int i = 0; i < s_names.Length; i++)
        {
            if (reader.ValueTextEquals(s_names[i]))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Arrays with a value for each layer, of which the mean is taken.</summary>
    private void ReadHealth(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int known = Known(ref reader);
            reader.Read();
            if (known < 0 || reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                continue;
            }

            (double sum, int layers) = (0, 0);
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double layer))
                {
                    (sum, layers) = (sum + layer, layers + 1);
                }

                reader.Skip();
            }

            _values[known] = layers > 0 ? sum / layers : double.NaN;
        }
    }

    private void Take(int step, bool isStep)
    {
        if (isStep)
        {
            Steps = step;
            TakeSums(_values[s_tokens], _values[s_tokens] / _values[s_speed], _values[s_energy]);
        }

        for (int i = 0; i < _series.Length; i++)
        {
            _series[i].Add(step, Tokens, Seconds, _values[i]);
        }
    }

    private void TakeSums(double tokens, double seconds, double joules)
    {
        if (tokens is not (>= 0 and <= MostTokens))
        {
            return;
        }

        Tokens += (long)tokens;
        Seconds += seconds is >= 0 and <= MostSeconds ? seconds : 0;
        if (joules is >= 0 and <= MostJoules)
        {
            Joules += joules;
            MeteredTokens += (long)tokens;
        }
    }
}
