using System.Text;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Reports;

/// <summary>What metrics.jsonl of a run says, read in one pass and in bounded memory.</summary>
public sealed class RunCurves
{
    /// <summary>Each costs an exception; a file of a run has one at most, where a kill cut it short.</summary>
    private const int MostDamaged = 1000;

    private static readonly byte[][] StepKeys = Keys("loss", "lr", "gradientNorm", "tokensPerSecond", "changedShare");
    private static readonly byte[][] HealthKeys = Keys("codesChanged", "updatesLost", "noiseRatio", "groupsRegridded", "limited");
    private readonly double[] _step = new double[StepNames.Count];
    private readonly double[] _health = new double[HealthNames.Count];
    private RunPosition _position;

    private RunCurves()
    {
    }

    /// <summary>Curves of <see cref="Steps"/>, by their names in the file.</summary>
    public static IReadOnlyList<string> StepNames { get; } = [.. StepKeys.Select(Encoding.UTF8.GetString)];

    /// <summary>Curves of <see cref="Health"/>: means over the layers.</summary>
    public static IReadOnlyList<string> HealthNames { get; } = [.. HealthKeys.Select(Encoding.UTF8.GetString)];

    public DecimatedCurves Steps { get; } = new(StepNames.Count);

    /// <summary>One curve: the loss over the held-out data.</summary>
    public DecimatedCurves Validations { get; } = new(1);

    public DecimatedCurves Health { get; } = new(HealthNames.Count);

    /// <summary>After the last step.</summary>
    public RunPosition End => _position;

    /// <summary>Of the last step, in nats; NaN without one.</summary>
    public double LastLoss { get; private set; } = double.NaN;

    /// <summary>Of the last validation, in nats; NaN without one.</summary>
    public double LastValidation { get; private set; } = double.NaN;

    /// <summary>Least validation loss in nats, NaN without one, and the step that it was of.</summary>
    public (double Loss, long Step) BestValidation { get; private set; } = (double.NaN, 0);

    /// <summary>Lines that a kill cut short, or that are none of a run's.</summary>
    public int DamagedLines { get; private set; }

    /// <summary>A file that is not there has no lines.</summary>
    /// <exception cref="RunFailedException">The file cannot be read.</exception>
    /// <exception cref="InvalidFileException">It has next to no lines of a run.</exception>
    public static RunCurves Read(string path)
    {
        var curves = new RunCurves();
        try
        {
            if (RegularFile.LengthOf(path) > 0)
            {
                // A run may write it now.
                using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
                var reader = new LineReader(file, path);
                while (reader.TryRead(out ReadOnlySpan<byte> line))
                {
                    curves.Take(path, line);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return curves.DamagedLines > 0 && curves.Steps.Points + curves.Validations.Points == 0
            ? throw new InvalidFileException(path, "has no line of a run's metrics")
            : curves;
    }

    private void Take(string path, ReadOnlySpan<byte> line)
    {
        bool isRead;
        try
        {
            isRead = line.Length > 1 && line[0] == '{' && Parse(line);
        }
        catch (JsonException)
        {
            isRead = false;
        }

        if (!isRead && ++DamagedLines > MostDamaged)
        {
            throw new InvalidFileException(path, $"has more than {MostDamaged} lines that are none of a run's metrics");
        }
    }

    /// <returns>False for JSON that is no line of metrics.</returns>
    private bool Parse(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        long? step = null;
        double tokens = 0;
        double? validation = null;
        bool isStep = false;
        bool isHealth = false;
        _step.AsSpan().Fill(double.NaN);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("step"u8))
            {
                double number = Real(ref reader);
                step = number is >= 0 and <= int.MaxValue ? (long)number : null;
            }
            else if (reader.ValueTextEquals("tokens"u8))
            {
                tokens = Real(ref reader);
            }
            else if (reader.ValueTextEquals("validationLoss"u8))
            {
                validation = Real(ref reader);
            }
            else if (reader.ValueTextEquals("health"u8))
            {
                isHealth = ParseHealth(ref reader);
            }
            else if (IndexOf(ref reader, StepKeys) is int index and >= 0)
            {
                isStep |= index == 0;
                _step[index] = Real(ref reader);
            }
            else
            {
                // Of a later version, or the validation loss of each source.
                reader.Read();
                reader.Skip();
            }
        }

        if (reader.TokenType != JsonTokenType.EndObject || reader.Read() || step is not long known)
        {
            return false;
        }

        Add(known, tokens, isStep, isHealth, validation);
        return true;
    }

    private void Add(long step, double tokens, bool isStep, bool isHealth, double? validation)
    {
        if (isStep)
        {
            double speed = _step[3];
            double seconds = tokens > 0 && speed > 0 ? tokens / speed : 0;
            _position = new RunPosition(step, _position.Tokens + Math.Max(0, double.IsNaN(tokens) ? 0 : tokens), _position.Seconds + seconds);
            LastLoss = _step[0];
            Steps.Add(_position, _step);
        }
        else if (isHealth)
        {
            Health.Add(_position with { Step = step }, _health);
        }
        else if (validation is double loss)
        {
            LastValidation = loss;
            BestValidation = double.IsNaN(BestValidation.Loss) || loss < BestValidation.Loss ? (loss, step) : BestValidation;
            Validations.Add(_position with { Step = step }, [loss]);
        }
    }

    /// <summary>Means over the layers' values.</summary>
    private bool ParseHealth(ref Utf8JsonReader reader)
    {
        _health.AsSpan().Fill(double.NaN);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int index = IndexOf(ref reader, HealthKeys);
            reader.Read();
            if (index < 0 || reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                continue;
            }

            int layers = 0;
            double sum = 0;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double value))
                {
                    layers++;
                    sum += value;
                }
                else
                {
                    reader.Skip();
                }
            }

            _health[index] = layers > 0 ? sum / layers : double.NaN;
        }

        return true;
    }

    private static byte[][] Keys(params IEnumerable<string> names) => [.. names.Select(Encoding.UTF8.GetBytes)];

    private static int IndexOf(ref Utf8JsonReader reader, byte[][] names)
    {
        for (int i = 0; i < names.Length; i++)
        {
            if (reader.ValueTextEquals(names[i]))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>NaN for what is no number.</summary>
    private static double Real(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double value))
        {
            return value;
        }

        reader.Skip();
        return double.NaN;
    }
}
