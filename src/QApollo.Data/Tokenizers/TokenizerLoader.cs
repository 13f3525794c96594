using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.SentencePiece;
using QApollo.Data.Tokenizers.Tiktoken;
using QApollo.Files;

namespace QApollo.Data.Tokenizers;

/// <summary>Finds and reads tokenizers.</summary>
public static class TokenizerLoader
{
    private const long MaxFileBytes = 1L << 29;
    private const string JsonName = "tokenizer.json";
    private const string ModelName = "tokenizer.model";

    /// <summary>What Hugging Face keeps beside a tokenizer: its special tokens, and how conversations are written.</summary>
    private static readonly string[] Companions =
        ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json"];

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

        string path = Find(pathOrName);
        try
        {
            return Read(path, specialTokens);
        }
        catch (Exception error) when (error is UsageException or RunFailedException or IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"tokenizer {pathOrName}: {error.Message}", error);
        }
    }

    /// <summary>Whether the folder exists and holds a tokenizer of its own.</summary>
    public static bool HoldsTokenizer(string folder) =>
        Directory.Exists(folder) && (File.Exists(Path.Combine(folder, JsonName)) || Directory.EnumerateFiles(folder, "*.model").Any() || Directory.EnumerateFiles(folder, "*.tiktoken").Any());

    /// <summary>The files that a tokenizer is read from, and the names by which a folder with copies of them is that tokenizer; none for a name.</summary>
    /// <exception cref="UsageException">The folder holds none.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<(string Path, string Name)> FilesOf(string pathOrName)
    {
        ArgumentNullException.ThrowIfNull(pathOrName);
        if (IsName(pathOrName))
        {
            return [];
        }

        string main = Directory.Exists(pathOrName) ? FindInFolder(pathOrName) : pathOrName;
        string folder = Path.GetDirectoryName(Path.GetFullPath(main))!;
        string name = IsJson(main, ReadFile(main)) ? JsonName : ModelName;

        // The file that makes it a tokenizer comes last: a copy that was cut short is none.
        return [.. Companions.Select(file => (Path.Combine(folder, file), file)).Where(file => File.Exists(file.Item1)), (main, name)];
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
                    $"tokenizer {path}: no such file or folder; give {Names}, a tokenizer.json, a SentencePiece .model, a .tiktoken file, or a folder that holds one");
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

    internal static ReadOnlySpan<byte> WithoutBlanks(ReadOnlySpan<byte> content) => content.TrimStart(" \t\r\n\uFEFF"u8);

    private static string FindInFolder(string folder)
    {
        string json = Path.Combine(folder, JsonName);
        if (File.Exists(json))
        {
            return json;
        }

        string[] models = [.. Directory.GetFiles(folder, "*.model"), .. Directory.GetFiles(folder, "*.tiktoken")];
        string usual = Path.Combine(folder, ModelName);
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
        byte[] bytes = ReadFile(path);
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (IsJson(path, bytes))
        {
            return TokenizerJsonReader.Read(bytes, folder, specialTokens);
        }

        ReadOnlySpan<byte> content = WithoutBlanks(bytes);
        return TiktokenRanks.IsFile(content)
            ? TiktokenTokenizer.OfFile(content, specialTokens)
            : new SentencePieceTokenizer(bytes, specialTokens, folder);
    }
}
