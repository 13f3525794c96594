using System.Buffers.Binary;
using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>
/// Rotary embeddings in a GGUF file: linear scaling and YaRN by their numbers, Llama 3.1's rule as a tensor of the factors that
/// divide each frequency, which only the family "llama" reads.
/// </summary>
internal static class GgufRotary
{
    public const string FactorsName = "rope_freqs.weight";

    /// <exception cref="UsageException">llama.cpp does not scale so.</exception>
    public static void WriteTo(GgufMetadata metadata, LlamaConfig config)
    {
        string rope = $"{GgufModelMetadata.Architecture(config)}.rope";
        metadata.Add($"{rope}.dimension_count", config.HeadDim);
        metadata.Add($"{rope}.freq_base", (float)config.RopeTheta);
        switch (config.RopeScaling)
        {
            case { Kind: RotaryScalingKind.Linear } scaling:
                metadata.Add($"{rope}.scaling.type", "linear");
                metadata.Add($"{rope}.scaling.factor", (float)scaling.Factor);
                break;
            case { Kind: RotaryScalingKind.Yarn } scaling:
                if (!scaling.Truncate)
                {
                    throw new UsageException("llama.cpp rounds the limits between YaRN's dimensions, this model does not (rope_scaling truncate false); use --format hf");
                }

                metadata.Add($"{rope}.scaling.type", "yarn");
                metadata.Add($"{rope}.scaling.factor", (float)scaling.Factor);
                metadata.Add($"{rope}.scaling.original_context_length", scaling.OriginalMaxPositionEmbeddings);
                metadata.Add($"{rope}.scaling.yarn_beta_fast", (float)scaling.BetaFast);
                metadata.Add($"{rope}.scaling.yarn_beta_slow", (float)scaling.BetaSlow);

                // llama.cpp multiplies this with the paper's own choice.
                metadata.Add($"{rope}.scaling.attn_factor", (float)(scaling.AttentionFactor / RotaryScaling.YarnAttentionFactor(scaling.Factor)));
                break;
            case { Kind: RotaryScalingKind.Llama3 } when !GgufModelMetadata.PairsNeighbours(config):
                throw new UsageException("llama.cpp scales rotary embeddings by Llama 3.1's rule in models of the family llama only; use --format hf");
            default:
                break;
        }
    }

    /// <summary>[D/2] F32: by what Llama 3.1's rule divides each frequency; null for other rules.</summary>
    public static byte[]? Factors(LlamaConfig config)
    {
        if (config.RopeScaling is not { Kind: RotaryScalingKind.Llama3 })
        {
            return null;
        }

        double[] unscaled = RotaryFrequencies.Unscaled(config);
        double[] scaled = RotaryFrequencies.Of(config);
        var factors = new byte[unscaled.Length * sizeof(float)];
        for (int i = 0; i < unscaled.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(factors.AsSpan(i * sizeof(float)), (float)(unscaled[i] / scaled[i]));
        }

        return factors;
    }
}
