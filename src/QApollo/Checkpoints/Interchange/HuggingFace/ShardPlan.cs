using System.Globalization;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>A safetensors file of an exported folder.</summary>
internal sealed record Shard(string File, IReadOnlyList<HuggingFaceTensor> Tensors);

/// <summary>Distributes tensors over files of at most some size, in their order; a tensor is never split.</summary>
internal static class ShardPlan
{
    /// <param name="maxBytes">A tensor that is larger has a file of its own.</param>
    public static IReadOnlyList<Shard> Make(IReadOnlyList<HuggingFaceTensor> tensors, long maxBytes)
    {
        var parts = new List<List<HuggingFaceTensor>> { new() };
        long bytes = 0;
        foreach (HuggingFaceTensor tensor in tensors)
        {
            long size = tensor.Declaration.ByteLength;
            if (parts[^1].Count > 0 && bytes + size > maxBytes)
            {
                parts.Add([]);
                bytes = 0;
            }

            parts[^1].Add(tensor);
            bytes += size;
        }

        return parts.Count == 1
            ? [new Shard(CheckpointFolder.ModelFile, parts[0])]
            : [.. parts.Select((part, index) => new Shard(
                string.Create(CultureInfo.InvariantCulture, $"model-{index + 1:D5}-of-{parts.Count:D5}.safetensors"), part))];
    }
}
