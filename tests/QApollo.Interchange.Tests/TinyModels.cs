using System.Runtime.InteropServices;
using QApollo.Checkpoints;
using QApollo.Models;

namespace QApollo.Interchange.Tests;

/// <summary>Tiny models with random weights, as Hugging Face folders or as checkpoints.</summary>
internal static class TinyModels
{
    /// <summary>A shape of each kind, by a name that tests show; those of public models are theirs, shrunk.</summary>
    public static LlamaConfig Config(string name) => name switch
    {
        "llama" => Llama(260),
        "llama tied" => Llama(260, tied: true),
        "llama wide heads" => Llama(260) with { HeadDim = 24, RopeTheta = 500_000 },
        "llama biases" => Llama(260) with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true },
        "llama linear rope" => Llama(260) with { RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Linear, Factor = 4 } },
        "llama 3.2" => Llama(260, tied: true) with
        {
            RopeTheta = 500_000,
            RopeScaling = new RotaryScaling { Kind = RotaryScalingKind.Llama3, Factor = 32, OriginalMaxPositionEmbeddings = 64 },
        },
        "llama yarn rope" => Llama(260) with { RopeScaling = Yarn(4) },
        "mistral" => Llama(260) with { Architecture = ModelArchitecture.Mistral, SlidingWindow = 500 },
        "qwen2.5" => Llama(260, tied: true) with { Architecture = ModelArchitecture.Qwen2, QueryKeyValueBias = true, RopeTheta = 1_000_000 },
        "qwen2 yarn rope" => Llama(260) with
        {
            Architecture = ModelArchitecture.Qwen2,
            QueryKeyValueBias = true,
            RopeScaling = Yarn(4) with { AttentionFactor = 1.25 },
        },
        "qwen3" => Llama(260, tied: true) with { Architecture = ModelArchitecture.Qwen3, QueryKeyNorm = true, HeadDim = 32, RopeTheta = 1_000_000 },
        _ => throw new ArgumentException($"no model '{name}'", nameof(name)),
    };

    private static RotaryScaling Yarn(double factor) => new()
    {
        Kind = RotaryScalingKind.Yarn,
        Factor = factor,
        OriginalMaxPositionEmbeddings = 64,
        AttentionFactor = RotaryScaling.YarnAttentionFactor(factor),
    };

    public static LlamaConfig Llama(int vocabulary, bool tied = false) => new()
    {
        HiddenSize = 64,
        IntermediateSize = 96,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 16,
        VocabSize = vocabulary,
        MaxPositionEmbeddings = 512,
        TieWordEmbeddings = tied,
    };

    /// <summary>Writes config.json and model.safetensors. Weights are large enough that every operation matters.</summary>
    public static void Write(string folder, LlamaConfig config, int seed = 1, float scale = 1)
    {
        File.WriteAllBytes(Path.Combine(folder, "config.json"), LlamaConfigJson.ToUtf8(config, "float32"));
        IReadOnlyList<Parameter> table = ParameterTable.Of(config);
        using var writer = new SafetensorsWriter(
            Path.Combine(folder, "model.safetensors"),
            table.Select(parameter => parameter.IsVector
                ? new SafetensorsDeclaration(parameter.Name, SafetensorsDType.F32, parameter.Columns)
                : new SafetensorsDeclaration(parameter.Name, SafetensorsDType.F32, parameter.Rows, parameter.Columns)));
        foreach (SafetensorsEntry entry in writer.Entries)
        {
            Parameter parameter = table.Single(item => item.Name == entry.Name);
            var random = new Random((seed * 1000) + parameter.Index);
            var values = new float[parameter.Elements];
            double deviation = parameter.IsVector ? 0.1 : parameter.IsEmbeddingOrHead ? 0.3 : 1 / Math.Sqrt(parameter.Columns);
            for (int i = 0; i < values.Length; i++)
            {
                double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                values[i] = scale * (float)((parameter.IsNorm ? 1 : 0) + (deviation * normal));
            }

            writer.Write(entry, MemoryMarshal.AsBytes<float>(values));
        }

        writer.Complete();
    }
}
