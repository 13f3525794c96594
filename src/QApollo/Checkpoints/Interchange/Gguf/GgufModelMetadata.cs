using System.Globalization;
using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>What llama.cpp must know of the model beside its tensors.</summary>
internal static class GgufModelMetadata
{
    /// <summary>llama.cpp's name of the model's family; Mistral is "llama" there.</summary>
    public static string Architecture(LlamaConfig config) => config.Architecture switch
    {
        ModelArchitecture.Qwen2 => "qwen2",
        ModelArchitecture.Qwen3 => "qwen3",
        _ => "llama",
    };

    /// <summary>Whether the family pairs neighbouring rows in rotary embeddings, where Hugging Face pairs the halves of a head.</summary>
    public static bool PairsNeighbours(LlamaConfig config) => Architecture(config) == "llama";

    /// <exception cref="UsageException">llama.cpp has no such model.</exception>
    public static GgufMetadata Create(LlamaConfig config, string name, GgmlType type, GgufVocabulary vocabulary, string? license)
    {
        string architecture = Architecture(config);
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", architecture);
        metadata.Add("general.type", "model");
        metadata.Add("general.name", name);
        metadata.Add("general.size_label", SizeLabel(config.ParameterCount));
        if (license is not null)
        {
            metadata.Add("general.license", license);
        }

        metadata.Add("general.alignment", GgufWriter.Alignment);
        metadata.Add("general.file_type", type.FileType());
        if (type == GgmlType.Q8_0)
        {
            metadata.Add("general.quantization_version", 2);
        }

        metadata.Add($"{architecture}.vocab_size", config.VocabSize);
        metadata.Add($"{architecture}.context_length", ContextLength(config));
        metadata.Add($"{architecture}.embedding_length", config.HiddenSize);
        metadata.Add($"{architecture}.block_count", config.NumHiddenLayers);
        metadata.Add($"{architecture}.feed_forward_length", config.IntermediateSize);
        metadata.Add($"{architecture}.attention.head_count", config.NumAttentionHeads);
        metadata.Add($"{architecture}.attention.head_count_kv", config.NumKeyValueHeads);
        metadata.Add($"{architecture}.attention.key_length", config.HeadDim);
        metadata.Add($"{architecture}.attention.value_length", config.HeadDim);
        metadata.Add($"{architecture}.attention.layer_norm_rms_epsilon", (float)config.RmsNormEps);
        GgufRotary.WriteTo(metadata, config);
        vocabulary.PadTo(config.VocabSize).WriteTo(metadata);
        return metadata;
    }

    /// <summary>Parameters as people call models: 7B, 494M.</summary>
    public static string SizeLabel(long parameters) => parameters switch
    {
        >= 10_000_000_000 => Rounded(parameters / 1e9, 0, "B"),
        >= 1_000_000_000 => Rounded(parameters / 1e9, 1, "B"),
        >= 1_000_000 => Rounded(parameters / 1e6, 0, "M"),
        _ => Rounded(parameters / 1e3, 0, "K"),
    };

    private static string Rounded(double value, int digits, string unit) =>
        Math.Round(value, digits, MidpointRounding.AwayFromZero).ToString(CultureInfo.InvariantCulture) + unit;

    /// <summary>llama.cpp reads no window from these families' files: within it, attention is the same.</summary>
    public static int ContextLength(LlamaConfig config) => Math.Min(config.MaxPositionEmbeddings, config.SlidingWindow ?? int.MaxValue);
}
