using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Data.Tokenizers;

namespace ComparePackages;

/// <summary>Ids by Hugging Face's library for tests/QApollo.Data.Tests/Tokenizers/Goldens, from what make_goldens.sh wrote there.</summary>
internal static class Goldens
{
    public static void Write(string folder)
    {
        string[] strings = JsonSerializer.Deserialize<string[]>(File.ReadAllText(Path.Combine(folder, "strings.json")))!;
        var asText = new JsonObject();
        foreach (JsonNode? golden in JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "cases.json")))!.AsArray())
        {
            JsonObject file = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, golden!["base"]!.GetValue<string>())))!.AsObject();
            foreach ((string field, JsonNode? value) in golden["changes"]!.AsObject())
            {
                file[field] = value?.DeepClone();
            }

            // Only what differs from the ids of parsed special tokens.
            using var peer = new HuggingFacePeer(file, SpecialTokenMode.Text);
            var ids = new JsonObject();
            for (int i = 0; i < strings.Length; i++)
            {
                JsonArray encoded = Encode(peer, strings[i]);
                if (!JsonNode.DeepEquals(encoded, golden["ids"]![i]))
                {
                    ids[i.ToString(CultureInfo.InvariantCulture)] = encoded;
                }
            }

            asText[golden["name"]!.GetValue<string>()] = ids;
        }

        Save(Path.Combine(folder, "special-tokens-as-text.json"), asText);
        var tiktoken = new JsonObject();
        foreach (string name in (string[])["r50k_base", "cl100k_base", "o200k_base"])
        {
            JsonNode json = JsonNode.Parse(TokenizerJson.OfName(name).Span)!;
            using var text = new HuggingFacePeer(json, SpecialTokenMode.Text);
            using var parsed = new HuggingFacePeer(json, SpecialTokenMode.Parse);
            tiktoken[name] = new JsonObject
            {
                ["text"] = new JsonArray([.. strings.Select(item => Encode(text, item))]),
                ["parse"] = new JsonArray([.. strings.Select(item => Encode(parsed, item))]),
            };
        }

        Save(Path.Combine(folder, "tiktoken.json"), tiktoken);
    }

    private static JsonArray Encode(HuggingFacePeer peer, string text) => [.. peer.Encode(text).Select(id => (JsonNode)id)];

    private static void Save(string path, JsonObject json) =>
        File.WriteAllText(path, "{\n" + string.Join(",\n", json.Select(item => $"{JsonSerializer.Serialize(item.Key)}: {item.Value!.ToJsonString()}")) + "\n}\n");
}
