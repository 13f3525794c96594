using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>config.json and generation_config.json that transformers 4 and 5, and others, read alike.</summary>
internal static class HuggingFaceConfigJson
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The first version that reads everything that is written.</summary>
    private const string TransformersVersion = "4.57.0";

    /// <param name="dtype">What the weights are computed in: float32, float16 or bfloat16.</param>
    public static JsonObject Config(LlamaConfig config, string dtype, PackQuantizedConfig? quantization)
    {
        JsonObject json = JsonNode.Parse(LlamaConfigJson.ToUtf8(config, dtype))!.AsObject();
        json["use_cache"] = true;
        json["transformers_version"] = TransformersVersion;
        if (quantization is not null)
        {
            json[PackQuantizedConfig.Key] = quantization.ToJson();
        }

        return json;
    }

    /// <summary>The text of a file.</summary>
    public static byte[] ToUtf8(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString(Indented) + "\n");

    public static JsonObject Generation(LlamaConfig config)
    {
        var json = new JsonObject { ["_from_model_config"] = true };
        if (config.BosTokenId is int begin)
        {
            json["bos_token_id"] = begin;
        }

        int[] ends = [.. config.EosTokenIds];
        if (ends.Length > 0)
        {
            json["eos_token_id"] = ends.Length == 1 ? ends[0] : new JsonArray([.. ends.Select(end => (JsonNode)end)]);
        }

        json["transformers_version"] = TransformersVersion;
        return json;
    }
}
