using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Models;
using QApollo.Files;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Chooses the token that ends a document: by its usual names, else the one that the model's other files name.</summary>
internal static class EndOfDocumentToken
{
    // Not the end of a turn (<|eot_id|>, <|im_end|>), which chat models declare as their end.
    private static readonly string[] UsualNames =
    [
        "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>", "[EOS]", "<|end_of_document|>",
    ];

    /// <param name="folder">Where tokenizer_config.json and special_tokens_map.json may lie; null without one.</param>
    /// <exception cref="UsageException">No token ends a document.</exception>
    public static int Find(IReadOnlyList<AddedToken> added, TokenTable vocabulary, string? folder)
    {
        foreach (string name in UsualNames.Concat(DeclaredNames(folder)))
        {
            byte[] content = Encoding.UTF8.GetBytes(name);
            if (added.FirstOrDefault(token => token.Content.AsSpan().SequenceEqual(content)) is AddedToken token)
            {
                return token.Id;
            }

            int id = vocabulary.Find(content);
            if (id >= 0)
            {
                return id;
            }
        }

        throw new UsageException(
            "no token ends a document: neither " + string.Join(", ", UsualNames[..4]) + " nor an \"eos_token\" in tokenizer_config.json");
    }

    private static IEnumerable<string> DeclaredNames(string? folder)
    {
        foreach (string file in folder is null ? Array.Empty<string>() : ["tokenizer_config.json", "special_tokens_map.json"])
        {
            string path = Path.Combine(folder!, file);
            if (File.Exists(path) && ReadName(path) is string name)
            {
                yield return name;
            }
        }
    }

    private static string? ReadName(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        JsonElement? field = document.RootElement.Field("eos_token");
        return field is { ValueKind: JsonValueKind.Object } token ? token.TextField("content") : field?.Text("eos_token");
    }
}
