using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers.Tiktoken;
using QApollo.Data.Tokenizers.Training;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>A tokenizer in the forms in which other programs read it.</summary>
public abstract class TokenizerExport
{
    private protected TokenizerExport()
    {
    }

    /// <param name="pathOrName">As <see cref="TokenizerLoader.Load"/> takes it.</param>
    /// <exception cref="UsageException">There is no such file, or it cannot be used.</exception>
    public static TokenizerExport Load(string pathOrName)
    {
        ArgumentNullException.ThrowIfNull(pathOrName);
        if (pathOrName == "bytes")
        {
            return new TokenizerJsonExport(Bytes(), folder: null);
        }

        if (TokenizerLoader.IsName(pathOrName))
        {
            return new TokenizerJsonExport(TokenizerJson.OfName(pathOrName).ToArray(), folder: null);
        }

        string path = TokenizerLoader.Find(pathOrName);
        try
        {
            byte[] content = TokenizerLoader.ReadFile(path);
            if (TokenizerLoader.IsJson(path, content))
            {
                return new TokenizerJsonExport(content, Path.GetDirectoryName(Path.GetFullPath(path)));
            }

            ReadOnlySpan<byte> text = TokenizerLoader.WithoutBlanks(content);
            return TiktokenRanks.IsFile(text) ? new TokenizerJsonExport(TiktokenTokenizer.FileToJson(text).ToArray(), folder: null) : new SentencePieceExport(content, Path.GetDirectoryName(Path.GetFullPath(path)));
        }
        catch (Exception error) when (error is UsageException or RunFailedException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"tokenizer {pathOrName}: {error.Message}", error);
        }
    }

    /// <summary>tokenizer.json, tokenizer_config.json and, where there are some, the files that came with them.</summary>
    public abstract IReadOnlyList<InterchangeFile> HuggingFaceFiles(DocumentTokens tokens);

    /// <summary>The token that readers of either form put before a text; null for none.</summary>
    public abstract int? BeginToken(DocumentTokens tokens);

    /// <summary>The vocabulary of a GGUF file.</summary>
    /// <exception cref="UsageException">llama.cpp has no such tokenizer; the message says what it lacks.</exception>
    public abstract GgufVocabulary Gguf(DocumentTokens tokens);

    /// <summary>The byte tokenizer as a byte-level vocabulary without merges: each byte has its own value as its id.</summary>
    private static byte[] Bytes()
    {
        byte[][] tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value })];
        return TokenizerJson.Serialize(new ByteLevelBpe(WordPattern.Gpt2, tokens, [])).ToArray();
    }
}
