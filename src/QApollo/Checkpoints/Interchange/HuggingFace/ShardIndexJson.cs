using System.Text.Json.Nodes;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>model.safetensors.index.json: which file has which tensor.</summary>
internal static class ShardIndexJson
{
    public static JsonObject Create(IEnumerable<(SafetensorsDeclaration Tensor, string File)> tensors)
    {
        var map = new JsonObject();
        long bytes = 0;
        foreach ((SafetensorsDeclaration tensor, string file) in tensors)
        {
            map[tensor.Name] = file;
            bytes += tensor.ByteLength;
        }

        return new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = bytes }, ["weight_map"] = map };
    }
}
