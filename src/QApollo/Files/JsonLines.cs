using System.Text.Json;

namespace QApollo.Files;

/// <summary>Reads a file with a JSON object on each line, which a run may be writing now.</summary>
internal static class JsonLines
{
    /// <summary>No line of ours is longer; what is longer is passed over.</summary>
    private const int MostBytes = 1 << 20;

    /// <summary>Lines that a kill cut short, or that are no objects, are passed over; a file that is not there has none.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static void Read(string path, Action<JsonElement> line) => ReadBytes(path, bytes =>
    {
        try
        {
            var reader = new Utf8JsonReader(bytes);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                line(document.RootElement);
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No JSON, or text in it that is not valid Unicode.
        }
    });

    private static void ReadBytes(string path, ReadOnlySpanAction line)
    {
        if (RegularFile.LengthOf(path) == 0)
        {
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
                    line(buffer.AsSpan(start, length));
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
            line(buffer.AsSpan(0, filled));
        }
    }

    private delegate void ReadOnlySpanAction(ReadOnlySpan<byte> line);
}
