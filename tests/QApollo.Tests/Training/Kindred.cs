using QApollo.Models;
using QApollo.Training;

namespace QApollo.Tests.Training;

/// <summary>A tiny model of every kind that a config.json can describe.</summary>
internal static class Kindred
{
    private static readonly LlamaConfig Llama = Engine.TinyModel();

    public static IReadOnlyDictionary<string, LlamaConfig> All { get; } = new Dictionary<string, LlamaConfig>
    {
        ["llama, all biases, linear"] = Llama with
        {
            QueryKeyValueBias = true,
            OutputBias = true,
            MlpBias = true,
            RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Linear, Factor = 2 },
        },
        ["llama 3.1"] = Llama with
        {
            RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalMaxPositionEmbeddings = 32 },
        },
        ["mistral, yarn, window"] = Llama with
        {
            Architecture = ModelArchitecture.Mistral,
            SlidingWindow = 64,
            HeadDim = 12,
            RopeScaling = new RotaryScaling
            {
                Kind = RotaryScalingKind.Yarn,
                Factor = 4,
                OriginalMaxPositionEmbeddings = 32,
                AttentionFactor = RotaryScaling.YarnAttentionFactor(4),
            },
        },
        ["qwen2, tied"] = Llama with { Architecture = ModelArchitecture.Qwen2, QueryKeyValueBias = true, TieWordEmbeddings = true },
        ["qwen3"] = Llama with { Architecture = ModelArchitecture.Qwen3, QueryKeyNorm = true, HeadDim = 10 },
        ["qwen3, biases"] = Llama with { Architecture = ModelArchitecture.Qwen3, QueryKeyNorm = true, QueryKeyValueBias = true, OutputBias = true },
    };

    /// <summary>
    /// Norms that are not 1 and biases that are not 0, so that leaving one out shows; biases as small as what they are added to, so
    /// that gradients are no differences of large numbers.
    /// </summary>
    public static void Randomize(Trainer trainer)
    {
        var random = new Random(12);
        foreach (Weight weight in trainer.Layout.Weights.All.Where(weight => weight.Parameter.IsVector))
        {
            (float middle, float range) = weight.Parameter.IsNorm ? (1f, 1f) : (0f, 0.1f);
            trainer.Load(
                weight, [.. Enumerable.Range(0, weight.Parameter.Columns).Select(_ => middle + (range * ((float)random.NextDouble() - 0.5f)))]);
        }
    }
}
