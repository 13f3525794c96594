using System.Buffers;
using System.Text;
using System.Text.Json;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>
/// metrics.jsonl of a run: a line per step, a line per validation, and now and then one of quantization health. Each line is handed to the operating system as
/// it is written, so a killed process loses none.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    private readonly string _path;
    private FileStream _file;
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;

    /// <param name="path">Created, or continued.</param>
    /// <param name="completedSteps">Lines of later steps are dropped: they are about to be done again.</param>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public MetricsFile(string path, int completedSteps)
    {
        _path = path;
        _file = Open(path, completedSteps);
        _json = new Utf8JsonWriter(_buffer);
    }

    /// <summary>Drops the lines of later steps: they are about to be done again.</summary>
    /// <inheritdoc cref="MetricsFile(string, int)" path="/exception"/>
    public void GoBack(int completedSteps)
    {
        _file.Dispose();
        _file = Open(_path, completedSteps);
    }

    /// <param name="sensors">Of the device, with the joules since the last line as its energy; what is not known is left out.</param>
    public void WriteStep(in StepResult result, double tokensPerSecond, SensorReading? sensors = null)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", result.Step);
        WriteReal("loss", result.Loss);
        WriteReal("lr", result.LearningRate);
        _json.WriteNumber("tokens", result.Tokens);
        WriteReal("tokensPerSecond", Math.Round(tokensPerSecond, 1));
        WriteReal("gradientNorm", result.GradientNorm);
        WriteReal("changedShare", result.ChangedShare);
        if (result.IsSkipped)
        {
            _json.WriteBoolean(MetricsHistory.SkippedName, true);
        }

        if (sensors is { } reading)
        {
            WriteKnown("temperature", reading.Temperature);
            WriteKnown("power", reading.Power);
            WriteKnown("clock", reading.Clock);
            WriteKnown("memoryClock", reading.MemoryClock);
            WriteKnown("energy", reading.Energy);
        }

        EndLine();
    }

    /// <param name="sources">Loss of each source of a mixture.</param>
    public void WriteValidation(int step, double loss, IReadOnlyList<(string Name, double Loss)>? sources = null)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", step);
        WriteReal("validationLoss", loss);
        if (sources is { Count: > 0 })
        {
            _json.WriteStartObject("validationLossBySource");
            foreach ((string name, double sourceLoss) in sources)
            {
                WriteReal(name, sourceLoss);
            }

            _json.WriteEndObject();
        }

        EndLine();
    }

    /// <param name="text">As the model wrote it; what is not valid Unicode is replaced.</param>
    public void WriteSample(int step, string text)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", step);
        _json.WriteString("sample", text);
        EndLine();
    }

    /// <summary>Arrays with a value for each layer, see <see cref="LayerHealth"/>; of dense layers what is counted of them.</summary>
    public void WriteHealth(int step, ReadOnlySpan<LayerHealth> layers)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", step);
        _json.WriteStartObject("health");
        if (layers[0].HasCodes)
        {
            WriteLayers("codesChanged", layers, static layer => layer.CodesChanged);
            WriteLayers("updatesLost", layers, static layer => layer.UpdatesLost);
            WriteLayers("noiseRatio", layers, static layer => layer.NoiseRatio);
            WriteLayers("groupsRegridded", layers, static layer => layer.GroupsRegridded);
        }

        WriteLayers("limited", layers, static layer => layer.Limited);
        _json.WriteEndObject();
        EndLine();
    }

    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    private void WriteLayers(string name, ReadOnlySpan<LayerHealth> layers, Func<LayerHealth, double> value)
    {
        _json.WriteStartArray(name);
        foreach (LayerHealth layer in layers)
        {
            _json.WriteNumberValue(Math.Round(value(layer), 6));
        }

        _json.WriteEndArray();
    }

    private static FileStream Open(string path, int completedSteps)
    {
        try
        {
            // Written anew: lines never go to what a link of that name points to.
            using var kept = new MemoryStream();
            KeepSteps(path, completedSteps, kept);
            PendingFile.WriteAll(path, kept.ToArray());
            return new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be written: {exception.Message}", exception);
        }
    }

    private static void KeepSteps(string path, int completedSteps, MemoryStream kept)
    {
        if (RegularFile.LengthOf(path) == 0)
        {
            return;
        }

        using var reader = new StreamReader(RegularFile.OpenRead(path), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            if (StepOf(line) is int step && step <= completedSteps)
            {
                kept.Write(Encoding.UTF8.GetBytes(line + "\n"));
            }
        }
    }

    /// <summary>Null for a line that a kill cut short, or that is none of this file's.</summary>
    private static int? StepOf(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement is { ValueKind: JsonValueKind.Object } line
                && line.TryGetProperty("step", out JsonElement step)
                && step.ValueKind == JsonValueKind.Number
                && step.TryGetInt32(out int value) ? value : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No JSON, or text in it that is not valid Unicode.
            return null;
        }
    }

    private void WriteKnown(string name, double value)
    {
        if (double.IsFinite(value))
        {
            _json.WriteNumber(name, Math.Round(value, 3));
        }
    }

    /// <summary>JSON has no infinity; a number that is none is written as null.</summary>
    private void WriteReal(string name, double value)
    {
        if (double.IsFinite(value))
        {
            _json.WriteNumber(name, value);
        }
        else
        {
            _json.WriteNull(name);
        }
    }

    /// <summary>With the digits that a binary32 needs.</summary>
    private void WriteReal(string name, float value)
    {
        if (float.IsFinite(value))
        {
            _json.WriteNumber(name, value);
        }
        else
        {
            _json.WriteNull(name);
        }
    }

    private void EndLine()
    {
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write("\n"u8);
        _file.Write(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
        _json.Reset();
    }
}
