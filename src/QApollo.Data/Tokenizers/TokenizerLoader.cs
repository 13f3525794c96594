using System.Buffers.Text;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.SentencePiece;

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

        if (!Directory.Exists(pathOrName) && !File.Exists(pathOrName))
        {
            throw new UsageException(
                $"tokenizer {pathOrName}: no such file or folder; give \"bytes\", a tokenizer.json, a SentencePiece .model, or a folder that holds one");
        }

        try
        {
            return Read(Directory.Exists(pathOrName) ? FindInFolder(pathOrName) : pathOrName);
        }
        catch (Exception error) when (error is UsageException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"tokenizer {pathOrName}: {error.Message}", error);
        }
    }

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
        long length = new FileInfo(path).Length;
        if (length > MaxFileBytes)
        {
            throw new UsageException($"the file has {length} bytes; at most {MaxFileBytes} are read");
        }

        byte[] bytes = File.ReadAllBytes(path);
        ReadOnlySpan<byte> content = bytes.AsSpan().TrimStart(" \t\r\n\uFEFF"u8);
        if (content.StartsWith((byte)'{') || Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase))
        {
            return TokenizerJsonReader.Read(bytes, Path.GetDirectoryName(Path.GetFullPath(path)));
        }

        return IsTiktoken(content)
            ? throw new UsageException("it is a tiktoken file; give the tokenizer.json of the same model")
            : new SentencePieceTokenizer(bytes);
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
