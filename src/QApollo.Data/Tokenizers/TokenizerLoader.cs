using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.SentencePiece;
using QApollo.Data.Tokenizers.Tiktoken;
using QApollo.Files;

namespace QApollo.Data.Tokenizers;

/// <summary>Finds and reads tokenizers.</summary>
public static class TokenizerLoader
{
    private const long MaxFileBytes = 1L << 29;

    /// <summary>Those that need no file: "bytes", and the vocabularies that come with the program.</summary>
    public static string Names { get; } = string.Join(", ", TiktokenEncoding.Names.Prepend("bytes"));

    /// <summary>Whether it is one of <see cref="Names"/> and no path.</summary>
    public static bool IsName(string pathOrName) => pathOrName == "bytes" || TiktokenEncoding.TryFind(pathOrName) is not null;

    /// <summary>Loads a tokenizer from this machine; nothing is downloaded.</summary>
    /// <param name="pathOrName">
    /// A name in <see cref="Names"/>; a tokenizer.json; a SentencePiece .model; a .tiktoken file (also Llama 3's
    /// tokenizer.model); or a folder that holds one of them (tokenizer.json first).
    /// </param>
    /// <param name="specialTokens">What becomes of special tokens that are written out in a text.</param>
    /// <exception cref="UsageException">There is no such file, or it cannot be used; the message says why.</exception>
    public static ITokenizer Load(string pathOrName, SpecialTokenMode specialTokens = SpecialTokenMode.Text)
    {
        ArgumentNullException.ThrowIfNull(pathOrName);
        if (pathOrName == "bytes")
        {
            return new ByteTokenizer();
        }

        if (TiktokenEncoding.TryFind(pathOrName) is { } encoding)
        {
            return TiktokenTokenizer.OfName(encoding, specialTokens);
        }

        if (!Directory.Exists(pathOrName) && !File.Exists(pathOrName))
        {
            throw new UsageException(
                $"tokenizer {pathOrName}: no such file or folder; give {Names}, a tokenizer.json, a SentencePiece .model, a .tiktoken file, or a folder that holds one");
        }

        try
        {
            return Read(Directory.Exists(pathOrName) ? FindInFolder(pathOrName) : pathOrName, specialTokens);
        }
        catch (Exception error) when (error is UsageException or RunFailedException or IOException or UnauthorizedAccessException)
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

        string[] models = [.. Directory.GetFiles(folder, "*.model"), .. Directory.GetFiles(folder, "*.tiktoken")];
        string usual = Path.Combine(folder, "tokenizer.model");
        return models.Length switch
        {
            1 => models[0],
            > 1 when models.Contains(usual) => usual,
            0 => throw new UsageException("the folder holds neither tokenizer.json nor a .model or .tiktoken file"),
            _ => throw new UsageException($"the folder holds {models.Length} .model and .tiktoken files; name the one to use"),
        };
    }

    private static ITokenizer Read(string path, SpecialTokenMode specialTokens)
    {
        long length = new FileInfo(path).Length;
        if (length > MaxFileBytes)
        {
            throw new UsageException($"the file has {length} bytes; at most {MaxFileBytes} are read");
        }

        byte[] bytes = RegularFile.ReadAllBytes(path, MaxFileBytes);
        ReadOnlySpan<byte> content = bytes.AsSpan().TrimStart(" \t\r\n\uFEFF"u8);
        if (content.StartsWith((byte)'{') || Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase))
        {
            return TokenizerJsonReader.Read(bytes, Path.GetDirectoryName(Path.GetFullPath(path)), specialTokens);
        }

        return TiktokenRanks.IsFile(content) || Path.GetExtension(path).Equals(".tiktoken", StringComparison.OrdinalIgnoreCase)
            ? TiktokenTokenizer.OfFile(content, specialTokens)
            : new SentencePieceTokenizer(bytes, specialTokens);
    }
}
