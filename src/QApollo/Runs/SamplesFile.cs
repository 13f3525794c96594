using System.Text;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Runs;

/// <summary>samples.jsonl of a run: a line per text sample, {"step":n,"text":"..."}, in the order of the steps.</summary>
public static class SamplesFile
{
    public const string Name = "samples.jsonl";

    /// <summary>Adds a sample; those of this step and of later ones go: the run went back before them.</summary>
    /// <exception cref="RunFailedException">The file cannot be read or written; what it had stands.</exception>
    public static void Add(string directory, int step, string text)
    {
        string path = Path.Combine(directory, Name);
        using var lines = new MemoryStream();
        foreach ((int kept, string old) in Read(directory))
        {
            if (kept < step)
            {
                Write(lines, kept, old);
            }
        }

        Write(lines, step, text);
        PendingFile.WriteAll(path, lines.ToArray());
    }

    /// <summary>Lines that are none of this file's are passed over; a file that is not there has none.</summary>
    /// <exception cref="RunFailedException">The file cannot be read.</exception>
    public static IReadOnlyList<(int Step, string Text)> Read(string directory)
    {
        string path = Path.Combine(directory, Name);
        var samples = new List<(int, string)>();
        try
        {
            if (RegularFile.LengthOf(path) == 0)
            {
                return samples;
            }

            using FileStream file = RegularFile.OpenRead(path);
            var reader = new LineReader(file, path);
            while (reader.TryRead(out ReadOnlySpan<byte> line))
            {
                if (Parse(line) is { } sample)
                {
                    samples.Add(sample);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }

        return samples;
    }

    private static (int Step, string Text)? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return document.RootElement is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty("step", out JsonElement step) && step.ValueKind == JsonValueKind.Number && step.TryGetInt32(out int number)
                && root.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? (number, text.GetString()!) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No JSON, or text in it that is not valid Unicode.
            return null;
        }
    }

    private static void Write(MemoryStream lines, int step, string text)
    {
        using (var writer = new Utf8JsonWriter(lines))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", step);
            writer.WriteString("text", Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
            writer.WriteEndObject();
        }

        lines.WriteByte((byte)'\n');
    }
}
