using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Files;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>
/// The <c>quantization_config</c> of a config.json whose matrices are INT8 groups in compressed-tensors' pack-quantized form
/// (weights of 8 bits, activations as they are).
/// </summary>
/// <param name="GroupSize">32, 64, 128 or 256.</param>
/// <param name="IsSymmetric">Every zero point is 128 and none is stored.</param>
internal sealed record PackQuantizedConfig(int GroupSize, bool IsSymmetric)
{
    public const string Key = "quantization_config";

    private const string Method = "compressed-tensors";
    private const string Format = "pack-quantized";

    /// <summary>What the file says; null where it has no such key, or the weights are in another form.</summary>
    /// <exception cref="InvalidFileException">The form is this one with other numbers.</exception>
    public static PackQuantizedConfig? Read(string configFile)
    {
        using JsonDocument document = JsonFile.Read(configFile);
        if (!document.RootElement.TryGetProperty(Key, out JsonElement json) || json.ValueKind != JsonValueKind.Object
            || !Is(json, "quant_method", Method) || !Is(json, "format", Format))
        {
            return null;
        }

        return JsonFile.Fields(configFile, () => ReadGroups(configFile, json));
    }

    public JsonObject ToJson() => new()
    {
        ["quant_method"] = Method,
        ["format"] = Format,
        ["quantization_status"] = "compressed",
        ["ignore"] = new JsonArray("lm_head"),
        ["kv_cache_scheme"] = null,
        ["config_groups"] = new JsonObject
        {
            ["group_0"] = new JsonObject
            {
                ["targets"] = new JsonArray("Linear"),
                ["input_activations"] = null,
                ["output_activations"] = null,
                ["weights"] = new JsonObject
                {
                    ["num_bits"] = 8,
                    ["type"] = "int",
                    ["symmetric"] = IsSymmetric,
                    ["strategy"] = "group",
                    ["group_size"] = GroupSize,
                    ["dynamic"] = false,
                    ["actorder"] = null,
                },
            },
        },
    };

    private static PackQuantizedConfig ReadGroups(string configFile, JsonElement json)
    {
        JsonProperty[] groups = [.. JsonFile.Require(configFile, json, "config_groups").EnumerateObject()];
        if (groups.Length != 1)
        {
            throw new InvalidFileException(configFile, $"{Key} has {groups.Length} config_groups; one for all matrices is read");
        }

        JsonElement weights = JsonFile.Require(configFile, groups[0].Value, "weights");
        int bits = JsonFile.Require(configFile, weights, "num_bits").GetInt32();
        int groupSize = JsonFile.Require(configFile, weights, "group_size").GetInt32();
        return bits == 8 && Is(weights, "type", "int") && groupSize is 32 or 64 or 128 or 256
            ? new PackQuantizedConfig(groupSize, weights.TryGetProperty("symmetric", out JsonElement symmetric) && symmetric.GetBoolean())
            : throw new InvalidFileException(configFile, $"{Key} has weights of {bits} bits in groups of {groupSize}; 8 bits of type int in groups of 32, 64, 128 or 256 are read");
    }

    private static bool Is(JsonElement json, string name, string text) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.ValueEquals(text);
}
