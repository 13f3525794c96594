using QApollo.Models;

namespace QApollo.TestSupport.Goldens;

/// <summary>One forward and backward pass of a small LLaMA.</summary>
/// <param name="Weights">By Hugging Face name; a tied model has no lm_head.weight.</param>
/// <param name="InputIds">[batch, seq].</param>
/// <param name="Labels">[batch, seq], already shifted; -100 is ignored.</param>
/// <param name="Logits">[batch, seq, vocabulary].</param>
/// <param name="Loss">Mean over the labels that count.</param>
/// <param name="Gradients">By Hugging Face name.</param>
public sealed record LlamaGolden(
    LlamaConfig Config,
    int Batch,
    int Sequence,
    IReadOnlyDictionary<string, float[]> Weights,
    long[] InputIds,
    long[] Labels,
    float[] Logits,
    float Loss,
    IReadOnlyDictionary<string, float[]> Gradients)
{
    private const string GradientPrefix = "grad/";

    public static LlamaGolden Load(string set)
    {
        using var reference = new GoldenFile($"{set}/reference");
        int[] shape = reference.Shape("input_ids");
        return new LlamaGolden(
            LoadConfig(set),
            shape[0],
            shape[1],
            LoadWeights($"{set}/model"),
            reference.Longs("input_ids"),
            reference.Longs("labels"),
            reference.Floats("logits"),
            reference.Floats("loss")[0],
            LoadWeights(reference, GradientPrefix));
    }

    internal static LlamaConfig LoadConfig(string set)
    {
        string path = Path.Combine(GoldenFolder.Locate(set), "config.json");
        return LlamaConfigJson.Parse(File.ReadAllBytes(path), path);
    }

    internal static Dictionary<string, float[]> LoadWeights(string name)
    {
        using var file = new GoldenFile(name);
        return LoadWeights(file, "");
    }

    /// <summary>The tensors whose name begins with the prefix, by the rest of the name.</summary>
    internal static Dictionary<string, float[]> LoadWeights(GoldenFile file, string prefix) => file.TensorNames
        .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
        .ToDictionary(name => name[prefix.Length..], file.Floats);
}
