using System.Text;
using System.Text.Json.Nodes;
using QApollo.Checkpoints.Interchange;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>What lies beside a tokenizer in a folder: its special tokens, and how conversations are written.</summary>
/// <param name="folder">Null without one.</param>
internal sealed class TokenizerCompanions(string? folder)
{
    public const string ConfigFile = "tokenizer_config.json";

    private const string TemplateFile = "chat_template.jinja";

    private static readonly string[] Others = ["special_tokens_map.json", "added_tokens.json", TemplateFile, "tokenizer.model", "vocab.json", "merges.txt"];

    public string? Folder => folder;

    /// <summary>tokenizer_config.json; null where there is none.</summary>
    /// <exception cref="UsageException">It is no JSON object.</exception>
    public JsonObject? Config() => Read(ConfigFile) is { } content ? InterchangeJson.Parse(content, ConfigFile) : null;

    /// <summary>tokenizer_config.json as every version of transformers reads it, or one that is made where there is none.</summary>
    public InterchangeFile ConfigOr(Func<JsonObject> create) =>
        InterchangeJson.File(ConfigFile, Config() is { } known ? TokenizerConfigJson.Portable(known) : create());

    /// <summary>Jinja text; null where the folder has none.</summary>
    public string? ChatTemplate() => Read(TemplateFile) is { } jinja ? Encoding.UTF8.GetString(jinja)
        : Config()?["chat_template"] is JsonValue template && template.TryGetValue(out string? text) ? text
        : null;

    /// <summary>The other files, as they are.</summary>
    /// <param name="except">One that is written anew.</param>
    public IEnumerable<InterchangeFile> Files(string? except = null)
    {
        foreach (string name in Others)
        {
            if (name != except && Read(name) is { } content)
            {
                yield return new InterchangeFile(name, content);
            }
        }
    }

    private byte[]? Read(string name)
    {
        string? path = folder is null ? null : Path.Combine(folder, name);
        return path is not null && File.Exists(path) ? TokenizerLoader.ReadFile(path) : null;
    }
}
