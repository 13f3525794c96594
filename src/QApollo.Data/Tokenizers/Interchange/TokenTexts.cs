using System.Globalization;
using System.Text.Json;
using QApollo.Data.Tokenizers.HuggingFace;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>A token as a tokenizer.json writes it.</summary>
/// <param name="IsAdded">Cut out of the text before it is encoded.</param>
/// <param name="IsSpecial">No text of its own, such as the end of a document.</param>
internal sealed record TokenText(string Text, bool IsAdded, bool IsSpecial);

/// <summary>The tokens of a tokenizer.json by id; null where an id has none.</summary>
internal sealed class TokenTexts
{
    private readonly TokenText?[] _tokens;

    private TokenTexts(TokenText?[] tokens) => _tokens = tokens;

    public IReadOnlyList<TokenText?> Tokens => _tokens;

    /// <exception cref="UsageException">The id has no token.</exception>
    public string this[int id] => (uint)id < (uint)_tokens.Length && _tokens[id] is { } token
        ? token.Text
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"the tokenizer has no token {id}"));

    public static TokenTexts Read(JsonElement root)
    {
        var byId = new Dictionary<int, TokenText>();
        JsonElement vocabulary = root.Required("model").Required("vocab");
        if (vocabulary.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty token in vocabulary.EnumerateObject())
            {
                byId[token.Value.GetInt32()] = new TokenText(token.Name, IsAdded: false, IsSpecial: false);
            }
        }
        else
        {
            int id = 0;
            foreach (JsonElement piece in vocabulary.EnumerateArray())
            {
                byId[id++] = new TokenText(piece[0].GetString()!, IsAdded: false, IsSpecial: false);
            }
        }

        if (root.Field("added_tokens") is JsonElement added)
        {
            Dictionary<string, int> known = [];
            foreach ((int id, TokenText token) in byId)
            {
                known[token.Text] = id;
            }

            foreach (JsonElement token in added.EnumerateArray())
            {
                string text = token.GetProperty("content").GetString()!;
                int id = known.TryGetValue(text, out int own) ? own : token.GetProperty("id").GetInt32();
                byId[id] = new TokenText(text, IsAdded: true, token.Flag("special"));
            }
        }

        var tokens = new TokenText?[byId.Count == 0 ? 0 : byId.Keys.Max() + 1];
        foreach ((int id, TokenText token) in byId)
        {
            tokens[id] = token;
        }

        return new TokenTexts(tokens);
    }
}
