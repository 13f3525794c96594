using System.Buffers.Text;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.SentencePiece;
using QApollo.Files;

namespace QApollo.Data.Tokenizers;

/// <summary>Finds and reads tokenizers.</summary>
public static class TokenizerLoader
{
    private const long MaxFileBytes = 1L << 29;

    /// <summary>Loads a tokenizer from this machine; nothing is downloaded.</summary>
    /// <param name="pathOrName">
    /// "bytes"; a tokenizer.json; a SentencePiece .model; or a folder that holds one of them (tokenizer.json first).
    /// </param>
    /// <exception cref="UsageException">There is no such file, or it cannot be used; the message says why.</exception>
    public static ITokenizer Load(string pathOrName)
    {
        ArgumentNullException.ThrowIfNull(pathOrName);
        if (pathOrName == "bytes")
        {
            return new ByteTokenizer();
        }

        string path = Find(pathOrName);
        try
        {
            return Read(path);
        }
        catch (Exception error) when (error is UsageException or RunFailedException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"tokenizer {pathOrName}: {error.Message}", error);
        }
    }

    /// <summary>The file of a tokenizer that is no name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    internal static string Find(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path)
                ? path
                : throw new UsageException(
                    $"tokenizer {path}: no such file or folder; give \"bytes\", a tokenizer.json, a SentencePiece .model, or a folder that holds one");
        }

        try
        {
            return FindInFolder(path);
        }
        catch (Exception error) when (error is UsageException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"tokenizer {path}: {error.Message}", error);
        }
    }

    internal static byte[] ReadFile(string path) => RegularFile.ReadAllBytes(path, MaxFileBytes);

    /// <summary>Whether a file is a tokenizer.json, by its beginning or its name.</summary>
    internal static bool IsJson(string path, ReadOnlySpan<byte> content) =>
        WithoutBlanks(content).StartsWith((byte)'{') || Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase);

    private static ReadOnlySpan<byte> WithoutBlanks(ReadOnlySpan<byte> content) => content.TrimStart(" \t\r\n\uFEFF"u8);

    private static string FindInFolder(string folder)
    {
        string json = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(json))
        {
            return json;
        }

        string[] models = Directory.GetFiles(folder, "*.model");
        string usual = Path.Combine(folder, "tokenizer.model");
        return models.Length switch
        {
            1 => models[0],
            > 1 when models.Contains(usual) => usual,
            0 => throw new UsageException("the folder holds neither tokenizer.json nor a .model file"),
            _ => throw new UsageException($"the folder holds {models.Length} .model files; name the one to use"),
        };
    }

    private static ITokenizer Read(string path)
    {
        byte[] bytes = ReadFile(path);
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (IsJson(path, bytes))
        {
            return TokenizerJsonReader.Read(bytes, folder);
        }

        return IsTiktoken(WithoutBlanks(bytes))
            ? throw new UsageException("it is a tiktoken file; give the tokenizer.json of the same model")
            : new SentencePieceTokenizer(bytes, folder);
    }

    /// <summary>Whether it begins with a line of a token in base64 and its rank, as the original Llama 3 tokenizer.model.</summary>
    private static bool IsTiktoken(ReadOnlySpan<byte> content)
    {
        int space = content.IndexOf((byte)' ');
        int end = content.IndexOf((byte)'\n');
        return space > 0 && end > space
            && Base64.IsValid(content[..space])
            && !content[(space + 1)..end].TrimEnd((byte)'\r').ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }
}
