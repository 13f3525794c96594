using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Tokenizers;
using QApollo.Data.Tokenizers;

namespace ComparePackages;

/// <summary>Another encoder of the same vocabulary.</summary>
internal interface IPeer : IDisposable
{
    string Name { get; }

    IReadOnlyList<int> Encode(string text);
}

internal static class Peers
{
    public static IEnumerable<IPeer> Of(string tokenizer, SpecialTokenMode mode)
    {
        if (tokenizer.EndsWith(".model", StringComparison.Ordinal))
        {
            if (mode == SpecialTokenMode.Text)
            {
                using FileStream file = File.OpenRead(tokenizer);
                yield return new MicrosoftPeer(SentencePieceTokenizer.Create(file, addBeginningOfSentence: false, addEndOfSentence: false));
            }

            yield break;
        }

        bool isFile = File.Exists(tokenizer);
        JsonNode json = JsonNode.Parse(isFile ? File.ReadAllBytes(tokenizer) : TokenizerJson.OfName(tokenizer).ToArray())!;
        Tokenizer? microsoft = isFile ? MicrosoftPeer.OfJson(json, mode) : MicrosoftPeer.OfName(tokenizer);
        if (microsoft is not null)
        {
            yield return new MicrosoftPeer(microsoft);
        }

        yield return new HuggingFacePeer(json, mode);
    }
}

/// <summary>Hugging Face's own library, by the package Tokenizers.DotNet.</summary>
internal sealed class HuggingFacePeer : IPeer
{
    private readonly Tokenizers.DotNet.Tokenizer _tokenizer;

    public HuggingFacePeer(JsonNode json, SpecialTokenMode mode)
    {
        json = json.DeepClone();
        json["post_processor"] = null;
        if (mode == SpecialTokenMode.Text)
        {
            Rename(json);
        }

        string path = Path.GetTempFileName();
        File.WriteAllText(path, json.ToJsonString());
        _tokenizer = new Tokenizers.DotNet.Tokenizer(path);
        File.Delete(path);
    }

    public string Name => "Hugging Face";

    public IReadOnlyList<int> Encode(string text) => Array.ConvertAll(_tokenizer.Encode(text), id => (int)id);

    public void Dispose() => _tokenizer.Dispose();

    /// <summary>Special tokens under names that no text holds: their usual names are then text, and all ids stay.</summary>
    private static void Rename(JsonNode json)
    {
        foreach (JsonNode? token in json["added_tokens"]!.AsArray().Where(token => token!["special"]!.GetValue<bool>()))
        {
            string old = token!["content"]!.GetValue<string>();
            string renamed = $"\uE000{old.Length}\uE001{token["id"]}\uE002";
            token["content"] = renamed;
            JsonNode model = json["model"]!;
            switch (model["vocab"])
            {
                case JsonObject vocabulary when vocabulary[old] is JsonNode id:
                    vocabulary.Remove(old);
                    vocabulary[renamed] = id.DeepClone();
                    break;
                case JsonArray pieces when pieces.FirstOrDefault(piece => piece![0]!.GetValue<string>() == old) is JsonNode piece:
                    piece[0] = renamed;
                    break;
            }

            if (model["unk_token"]?.GetValue<string>() == old)
            {
                model["unk_token"] = renamed;
            }
        }
    }
}

/// <summary>Microsoft.ML.Tokenizers.</summary>
internal sealed class MicrosoftPeer(Tokenizer tokenizer) : IPeer
{
    public string Name => "Microsoft.ML.Tokenizers";

    public IReadOnlyList<int> Encode(string text) => tokenizer.EncodeToIds(text);

    public void Dispose()
    {
    }

    /// <summary>GPT-2's ranks are those of r50k_base. The package has one mode, whatever it makes of special tokens.</summary>
    public static TiktokenTokenizer OfName(string name) => TiktokenTokenizer.CreateForEncoding(name == "gpt2" ? "r50k_base" : name);

    /// <summary>Byte-level BPE cut by one pattern, the kind that `qapollo tokenizer train` writes; null for any other.</summary>
    public static Tokenizer? OfJson(JsonNode json, SpecialTokenMode mode)
    {
        string? pattern = json["pre_tokenizer"]?["pretokenizers"]?[0]?["pattern"]?["Regex"]?.GetValue<string>();
        if (pattern is null || json["model"]!["vocab"] is not JsonObject vocabulary || json["normalizer"] is not null)
        {
            return null;
        }

        Dictionary<string, int> special = mode == SpecialTokenMode.Text
            ? []
            : json["added_tokens"]!.AsArray().ToDictionary(token => token!["content"]!.GetValue<string>(), token => token!["id"]!.GetValue<int>());
        var options = new BpeOptions(vocabulary.Select(token => new KeyValuePair<string, int>(token.Key, token.Value!.GetValue<int>())))
        {
            Merges = json["model"]!["merges"]!.AsArray().Select(merge => $"{merge![0]} {merge[1]}"),
            ByteLevel = true,
            SpecialTokens = special,
            PreTokenizer = new RegexPreTokenizer(new System.Text.RegularExpressions.Regex(pattern, System.Text.RegularExpressions.RegexOptions.Compiled), special),
        };
        return BpeTokenizer.Create(options);
    }
}
