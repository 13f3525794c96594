using System.Text.Json;
using QApollo.Files;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>
/// Whether documents begin with a token of their own, as transformers encodes them: the post-processor of tokenizer.json says so,
/// and <c>add_bos_token</c> of tokenizer_config.json overrules it for the classes that read the key.
/// </summary>
internal static class BeginOfDocumentToken
{
    private const string ConfigFile = "tokenizer_config.json";
    private const long MaxBytes = 16L << 20;

    /// <param name="postProcessor">Of tokenizer.json; null for none.</param>
    /// <param name="folder">Where tokenizer_config.json may lie; null without one.</param>
    /// <param name="find">The id of a token's text; negative where there is none.</param>
    /// <returns>The start token's id; null where documents begin with their text.</returns>
    /// <exception cref="UsageException">A file names a start token that the vocabulary has not.</exception>
    public static int? Find(JsonElement? postProcessor, string? folder, Func<string, int> find)
    {
        using JsonDocument? config = ReadConfig(folder);
        JsonElement? root = config?.RootElement;
        bool readsKey = root?.Field("tokenizer_class")?.Text("tokenizer_class") is { } name && name != "PreTrainedTokenizerFast";
        if (readsKey && root!.Value.Field("add_bos_token") is not null)
        {
            return root.Value.Flag("add_bos_token") ? Named(root.Value, find) : null;
        }

        return postProcessor is JsonElement processor ? OfTemplate(processor) : null;
    }

    /// <summary>For a SentencePiece .model: <c>LlamaTokenizer</c> puts the start piece in front unless the key says otherwise.</summary>
    /// <param name="startPiece">The model's own start piece; negative where it has none.</param>
    public static int? FindForSentencePiece(string? folder, int startPiece, Func<string, int> find)
    {
        using JsonDocument? config = ReadConfig(folder);
        if (config is null)
        {
            return null;
        }

        JsonElement root = config.RootElement;
        bool isLlama = root.Field("tokenizer_class")?.Text("tokenizer_class").Contains("Llama", StringComparison.Ordinal) ?? false;
        if (!root.Flag("add_bos_token", missing: isLlama))
        {
            return null;
        }

        return root.Field("bos_token") is not null ? Named(root, find) : startPiece >= 0 ? startPiece : null;
    }

    private static int Named(JsonElement config, Func<string, int> find)
    {
        JsonElement? field = config.Field("bos_token");
        string? name = field is { ValueKind: JsonValueKind.Object } token ? token.TextField("content") : field?.Text("bos_token");
        int id = name is null ? -1 : find(name);
        return id >= 0
            ? id
            : throw new UsageException($"{ConfigFile} adds a start token, but its bos_token {(name is null ? "is missing" : $"'{JsonFields.Show(name)}' is not in the vocabulary")}");
    }

    /// <summary>The first special token of a template for single texts, if it stands before the text.</summary>
    private static int? OfTemplate(JsonElement processor)
    {
        foreach (JsonElement part in JsonFields.Flatten(processor, "processors"))
        {
            switch (part.TypeName())
            {
                case "TemplateProcessing":
                    JsonElement first = part.Required("single").Items("single").FirstOrDefault();
                    if (first.Field("SpecialToken") is JsonElement special)
                    {
                        string name = special.TextField("id");
                        JsonElement entry = part.Required("special_tokens").Required(name);
                        return entry.Required("ids").Items("ids").FirstOrDefault().Number("ids", int.MaxValue);
                    }

                    break;
                case "BertProcessing" or "RobertaProcessing":
                    return part.Required("cls").Items("cls").LastOrDefault().Number("cls", int.MaxValue);
                default:
                    break;
            }
        }

        return null;
    }

    private static JsonDocument? ReadConfig(string? folder)
    {
        string? path = folder is null ? null : Path.Combine(folder, ConfigFile);
        if (path is null || !File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonDocument.Parse(RegularFile.ReadAllBytes(path, MaxBytes));
        }
        catch (JsonException error)
        {
            throw new UsageException($"{path}: {error.Message}", error);
        }
    }
}
