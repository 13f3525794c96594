using System.Buffers;
using System.Text.Json;
using QApollo.Files;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>
/// metrics.jsonl of a run: a line per step, a line per validation. Each line is handed to the operating system as
/// it is written, so a killed process loses none.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;

    /// <param name="path">Created, or continued.</param>
    /// <param name="completedSteps">Lines of later steps are dropped: they are about to be done again.</param>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public MetricsFile(string path, int completedSteps)
    {
        try
        {
            if (File.Exists(path))
            {
                DropLaterSteps(path, completedSteps);
            }

            _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be written: {exception.Message}", exception);
        }

        _json = new Utf8JsonWriter(_buffer);
    }

    public void WriteStep(in StepResult result, double tokensPerSecond)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", result.Step);
        _json.WriteNumber("loss", result.Loss);
        _json.WriteNumber("lr", result.LearningRate);
        _json.WriteNumber("tokens", result.Tokens);
        _json.WriteNumber("tokensPerSecond", Math.Round(tokensPerSecond, 1));
        _json.WriteNumber("gradientNorm", result.GradientNorm);
        _json.WriteNumber("changedShare", result.ChangedShare);
        EndLine();
    }

    public void WriteValidation(int step, double loss)
    {
        _json.WriteStartObject();
        _json.WriteNumber("step", step);
        _json.WriteNumber("validationLoss", loss);
        EndLine();
    }

    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    private static void DropLaterSteps(string path, int completedSteps)
    {
        using var kept = new MemoryStream();
        foreach (string line in File.ReadLines(path))
        {
            if (StepOf(line) is int step && step <= completedSteps)
            {
                kept.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
            }
        }

        PendingFile.WriteAll(path, kept.ToArray());
    }

    /// <summary>Null for a line that a kill cut short.</summary>
    private static int? StepOf(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.TryGetProperty("step", out JsonElement step) && step.TryGetInt32(out int value) ? value : null;
        }
        catch (JsonException)
        {
            return null;
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
