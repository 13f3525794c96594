using System.Text.Json;

namespace QApollo.Files;

/// <summary>Reads small JSON files with errors that name the file.</summary>
public static class JsonFile
{
    /// <summary>More than any file of a run has; a hostile one is not read into memory.</summary>
    private const long MaxBytes = 16L << 20;

    /// <summary>Reads and parses; all names and texts of the document are valid Unicode.</summary>
    /// <param name="byHand">People write it: comments, and commas behind the last entry, are passed over.</param>
    /// <exception cref="InvalidFileException">Not a JSON object, or not valid Unicode.</exception>
    /// <exception cref="RunFailedException">The file cannot be read, is no regular file, or too large.</exception>
    public static JsonDocument Read(string path, bool byHand = false)
    {
        JsonDocument? document = null;
        try
        {
            var options = new JsonDocumentOptions { AllowTrailingCommas = byHand, CommentHandling = byHand ? JsonCommentHandling.Skip : JsonCommentHandling.Disallow };
            byte[] content = RegularFile.ReadAllBytes(path, MaxBytes);
            document = JsonDocument.Parse(content.AsMemory(content.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0), options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new InvalidFileException(path, "is not a JSON object");
            }

            RequireUnicode(document.RootElement);
            JsonDocument result = document;
            document = null;
            return result;
        }
        catch (JsonException exception)
        {
            throw new InvalidFileException(path, $"is not valid JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new InvalidFileException(path, "contains text that is not valid Unicode", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }
        finally
        {
            document?.Dispose();
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

    /// <summary>Names and texts are decoded where they are asked for: bad ones are found here once, not anywhere later.</summary>
    /// <exception cref="InvalidOperationException">A text is not valid UTF-8, or has half a surrogate pair.</exception>
    private static void RequireUnicode(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    RequireUnicode(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    RequireUnicode(property.Value);
                }

                break;
        }
    }
}
