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

    private readonly byte[] _content;
    private readonly JsonElement _root;
    private readonly TokenizerCompanions _companions;

    /// <param name="folder">Where the files that come with it lie; null without one.</param>
    /// <exception cref="UsageException">It is no tokenizer.json that this program can use.</exception>
    public TokenizerJsonExport(byte[] content, string? folder)
    {
        // What can be read here is well-formed: exporting needs no checks of its own.
        TokenizerJsonReader.Read(content, folder);
        _content = content;
        _companions = new TokenizerCompanions(folder);
        using JsonDocument document = JsonDocument.Parse(content.AsSpan().StartsWith("\uFEFF"u8) ? content.AsMemory(3) : content);
        _root = document.RootElement.Clone();
    }

    public override IReadOnlyList<InterchangeFile> HuggingFaceFiles(DocumentTokens tokens)
    {
        TokenTexts texts = TokenTexts.Read(_root);
        InterchangeFile config = _companions.ConfigOr(() => TokenizerConfigJson.Create(
            BeginToken(tokens) is int begin ? texts[begin] : null, texts[tokens.End], unknown: null, tokens.MaxLength));
        return [TokenizerJson(texts, tokens), config, .. _companions.Files()];
    }

    public override GgufVocabulary Gguf(DocumentTokens tokens)
    {
        tokens = tokens with { Begin = BeginToken(tokens) };
        GgufVocabulary vocabulary = new PreTokenizerReader(_root.Field("pre_tokenizer")).IsByteLevel
            ? GgufByteLevel.Create(_root, tokens)
            : GgufWordMarks.Create(_root, tokens);
        return vocabulary with { ChatTemplate = _companions.ChatTemplate() };
    }

    /// <summary>What the file's own post-processor puts there; where it has none, the token that the model was trained with.</summary>
    public override int? BeginToken(DocumentTokens tokens) => _root.Field("post_processor") is null ? tokens.Begin : BeginOfTemplate();

    /// <summary>
    /// As it is; a file that says nothing about what goes before a text gets the token that the model was trained with there.
    /// </summary>
    private InterchangeFile TokenizerJson(TokenTexts texts, DocumentTokens tokens)
    {
        if (tokens.Begin is not int begin || _root.Field("post_processor") is not null)
        {
            return new InterchangeFile(TokenizerFile, _content);
        }

        JsonObject json = InterchangeJson.Parse(_content, TokenizerFile);
        json["post_processor"] = BeginTokenTemplate.Create(texts[begin], begin);
        return InterchangeJson.File(TokenizerFile, json);
    }

    /// <summary>The token that the file's own post-processor puts before a text.</summary>
    private int? BeginOfTemplate()
    {
        IReadOnlyList<TokenText?> texts = TokenTexts.Read(_root).Tokens;
        return BeginOfDocumentToken.Find(_root.Field("post_processor"), _companions.Folder, name =>
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
}
