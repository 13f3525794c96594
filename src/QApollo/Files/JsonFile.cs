using System.Text.Json;

namespace QApollo.Files;

/// <summary>Reads small JSON files with errors that name the file.</summary>
public static class JsonFile
{
    /// <summary>More than any file of a run has; a hostile one is not read into memory.</summary>
    private const long MaxBytes = 16L << 20;

    /// <exception cref="InvalidFileException">Not a JSON object.</exception>
    /// <exception cref="RunFailedException">The file cannot be read.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw new InvalidFileException(path, "is too large for a JSON file of a run");
            }

            JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            throw new InvalidFileException(path, "is not a JSON object");
        }
        catch (JsonException exception)
        {
            throw new InvalidFileException(path, $"is not valid JSON: {exception.Message}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <exception cref="InvalidFileException">The property is missing.</exception>
    public static JsonElement Require(string path, JsonElement element, string property) =>
        element.TryGetProperty(property, out JsonElement value) ? value : throw new InvalidFileException(path, $"has no '{property}'");

    /// <summary>Reads fields of the types that they must have.</summary>
    /// <exception cref="InvalidFileException">One has another type, or is too large.</exception>
    public static T Fields<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException)
        {
            throw new InvalidFileException(path, $"a field has the wrong type: {exception.Message}");
        }
    }

    /// <exception cref="InvalidFileException">The file's formatVersion is newer than <paramref name="known"/>, or none.</exception>
    public static void RequireVersion(string path, JsonElement root, int known)
    {
        int version = Fields(path, () => Require(path, root, "formatVersion").GetInt32());
        if (version > known)
        {
            throw new InvalidFileException(path, $"has format version {version}; this program knows up to {known}: a newer program is needed");
        }
    }
}
