using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers.HuggingFace;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>A tokenizer.json, and the files that lie beside it.</summary>
internal sealed class TokenizerJsonExport : TokenizerExport
{
    private const string TokenizerFile = "tokenizer.json";
    private const string ConfigFile = "tokenizer_config.json";

    /// <summary>What a folder may hold of a tokenizer beside the two files that are written anew.</summary>
    private static readonly string[] Companions =
        ["special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "tokenizer.model", "vocab.json", "merges.txt"];

    private readonly byte[] _content;
    private readonly JsonElement _root;
    private readonly string? _folder;

    /// <param name="folder">Where the files that come with it lie; null without one.</param>
    /// <exception cref="UsageException">It is no tokenizer.json that this program can use.</exception>
    public TokenizerJsonExport(byte[] content, string? folder)
    {
        // What can be read here is well-formed: exporting needs no checks of its own.
        TokenizerJsonReader.Read(content, folder);
        _content = content;
        _folder = folder;
        using JsonDocument document = JsonDocument.Parse(content.AsSpan().StartsWith("\uFEFF"u8) ? content.AsMemory(3) : content);
        _root = document.RootElement.Clone();
    }

    public override IReadOnlyList<InterchangeFile> HuggingFaceFiles(DocumentTokens tokens)
    {
        TokenTexts texts = TokenTexts.Read(_root);
        var files = new List<InterchangeFile> { TokenizerJson(texts, tokens) };
        JsonObject config = Companion(ConfigFile) is { } known
            ? TokenizerConfigJson.Portable(JsonNode.Parse(known)!.AsObject())
            : TokenizerConfigJson.Create(tokens.Begin is int begin ? texts[begin] : null, texts[tokens.End], unknown: null, tokens.MaxLength);
        files.Add(InterchangeJson.File(ConfigFile, config));
        foreach (string name in Companions)
        {
            if (Companion(name) is { } content)
            {
                files.Add(new InterchangeFile(name, content));
            }
        }

        return files;
    }

    public override GgufVocabulary Gguf(DocumentTokens tokens)
    {
        tokens = tokens with { Begin = tokens.Begin ?? BeginOfTemplate() };
        GgufVocabulary vocabulary = new PreTokenizerReader(_root.Field("pre_tokenizer")).IsByteLevel
            ? GgufByteLevel.Create(_root, tokens)
            : GgufWordMarks.Create(_root, tokens);
        return vocabulary with { ChatTemplate = ChatTemplate() };
    }

    /// <summary>
    /// As it is; a file that says nothing about what goes before a text gets the token that the model was trained with there.
    /// </summary>
    private InterchangeFile TokenizerJson(TokenTexts texts, DocumentTokens tokens)
    {
        if (tokens.Begin is not int begin || _root.Field("post_processor") is not null)
        {
            return new InterchangeFile(TokenizerFile, _content);
        }

        JsonObject json = JsonNode.Parse(_root.GetRawText())!.AsObject();
        json["post_processor"] = BeginTokenTemplate.Create(texts[begin], begin);
        return InterchangeJson.File(TokenizerFile, json);
    }

    /// <summary>The token that the file's own post-processor puts before a text.</summary>
    private int? BeginOfTemplate()
    {
        IReadOnlyList<TokenText?> texts = TokenTexts.Read(_root).Tokens;
        return BeginOfDocumentToken.Find(_root.Field("post_processor"), _folder, name =>
        {
            for (int id = 0; id < texts.Count; id++)
            {
                if (texts[id]?.Text == name)
                {
                    return id;
                }
            }

            return -1;
        });
    }

    private string? ChatTemplate()
    {
        if (Companion("chat_template.jinja") is { } jinja)
        {
            return Encoding.UTF8.GetString(jinja);
        }

        return Companion(ConfigFile) is { } config && JsonNode.Parse(config)?["chat_template"] is JsonValue template && template.TryGetValue(out string? text)
            ? text
            : null;
    }

    private byte[]? Companion(string name)
    {
        string? path = _folder is null ? null : Path.Combine(_folder, name);
        return path is not null && File.Exists(path) ? TokenizerLoader.ReadFile(path) : null;
    }
}
