using System.Text.Json.Nodes;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>model.safetensors.index.json: which file has which tensor.</summary>
internal static class ShardIndexJson
{
    public static JsonObject Create(IReadOnlyList<Shard> shards)
    {
        var map = new JsonObject();
        foreach (Shard shard in shards)
        {
            foreach (HuggingFaceTensor tensor in shard.Tensors)
            {
                map[tensor.Declaration.Name] = shard.File;
            }
        }

        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = shards.Sum(shard => shard.Tensors.Sum(tensor => tensor.Declaration.ByteLength)) },
            ["weight_map"] = map,
        };
    }
}
