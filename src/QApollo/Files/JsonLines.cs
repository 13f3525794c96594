using System.Text.Json;

namespace QApollo.Files;

/// <summary>Reads a file with a JSON object on each line, which a run may be writing now.</summary>
internal static class JsonLines
{
    /// <summary>No line of ours is longer; what is longer is passed over.</summary>
    private const int MostBytes = 1 << 20;

    /// <summary>Lines that a kill cut short, or that are no objects, are passed over; a file that is not there has none.</summary>
    /// <returns>How many were passed over, but for one without an end, which is being written or was cut short.</returns>
    /// <exception cref="InvalidFileException">It is a folder.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static long Read(string path, Action<JsonElement> line) => Read(path, bytes =>
    {
        var reader = new Utf8JsonReader(bytes);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("no object");
        }

        line(document.RootElement);
    });

    /// <param name="line">Takes the bytes of a line; <see cref="JsonException"/> and <see cref="InvalidOperationException"/> pass it over.</param>
    /// <inheritdoc cref="Read(string, Action{JsonElement})"/>
    public static long Read(string path, LineReader line)
    {
        long passedOver = 0;
        ReadLines(path, (bytes, isEnded) =>
        {
            try
            {
                line(bytes);
            }
            catch (Exception exception) when (exception is JsonException or InvalidOperationException)
            {
                // No JSON, or text in it that is not valid Unicode.
                passedOver += isEnded ? 1 : 0;
            }
        }, () => passedOver++);
        return passedOver;
    }

    /// <param name="tooLong">Called for each line that is longer than <see cref="MostBytes"/>.</param>
    private static void ReadLines(string path, EndedLineReader line, Action tooLong)
    {
        if (RegularFile.LengthOf(path) == 0)
        {
            if (Directory.Exists(path))
            {
                throw new InvalidFileException(path, "is a folder");
            }

            return;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        byte[] buffer = new byte[2 * MostBytes];
        int filled = 0;
        bool isTooLong = false;
        while (file.Read(buffer, filled, buffer.Length - filled) is var read && read > 0)
        {
            filled += read;
            int start = 0;
            while (buffer.AsSpan(start, filled - start).IndexOf((byte)'\n') is var length && length >= 0)
            {
                if (!isTooLong)
                {
                    line(buffer.AsSpan(start, length), true);
                }
                else
                {
                    tooLong();
                }

                isTooLong = false;
                start += length + 1;
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            (filled, isTooLong) = filled > MostBytes ? (0, true) : (filled, isTooLong);
        }

        if (filled > 0 && !isTooLong)
        {
            line(buffer.AsSpan(0, filled), false);
        }
    }

    /// <param name="line">Without the line feed.</param>
    public delegate void LineReader(ReadOnlySpan<byte> line);

    private delegate void EndedLineReader(ReadOnlySpan<byte> line, bool isEnded);
}
