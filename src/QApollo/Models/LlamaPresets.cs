namespace QApollo.Models;

/// <summary>A model shape with a name, and settings known to train it.</summary>
/// <param name="Description">One line for people.</param>
/// <param name="LearningRate">Peak learning rate for APOLLO-Mini with warm-up and cosine decay.</param>
public sealed record LlamaPreset(string Name, string Description, LlamaConfig Config, double LearningRate)
{
    /// <summary>Sizes that are a multiple of it divide evenly among kernels.</summary>
    public const int VocabularyMultiple = 64;

    /// <summary>The shape with a vocabulary for a tokenizer: as many rows as it has ids, rounded up to a multiple of 64.</summary>
    /// <param name="ids">The tokenizer's ids, 1 or more.</param>
    public LlamaConfig ForTokenizer(int ids)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ids, 1);
        return WithVocabulary(checked((ids + VocabularyMultiple - 1) / VocabularyMultiple * VocabularyMultiple));
    }

    /// <summary>The shape with so many rows of embedding and head; start and end tokens only where they are those of the published vocabulary.</summary>
    public LlamaConfig WithVocabulary(int rows) =>
        rows == Config.VocabSize ? Config : Config with { VocabSize = rows, BosTokenId = null, EosTokenId = null, OtherEosTokenIds = TokenIds.None };
}

/// <summary>
/// The model shapes that <c>--model</c> knows by name, each with the vocabulary of the publication. 60m, 130m, 350m, 1b and 7b are those of the
/// published experiments. The learning rate 0.01 for 60m to 1b is the published one (arXiv 2412.05270, table 2); smaller
/// models take the same, larger ones a more careful value of our own choice.
/// </summary>
public static class LlamaPresets
{
    /// <summary>All presets, smallest first.</summary>
    public static IReadOnlyList<LlamaPreset> All { get; } =
    [
        new(
            "demo",
            "0.9 M, on bytes: minutes on a laptop's CPU",
            Shape(hidden: 128, intermediate: 352, layers: 4, heads: 4) with { VocabSize = 320 },
            0.01),
        new("9m", "9 M: a first experiment on a CPU", Shape(128, 352, 4, 4), 0.01),
        new("20m", "20 M: quick comparisons", Shape(256, 688, 4, 4), 0.01),
        new("35m", "35 M: quick comparisons", Shape(384, 1024, 6, 8), 0.01),
        new("60m", "58 M: the smallest of the published experiments", Shape(512, 1376, 8, 8), 0.01),
        new("130m", "134 M: of GPT-2's size", Shape(768, 2048, 12, 12), 0.01),
        new(
            "smollm2-135m",
            "135 M: SmolLM2-135M, grouped queries, tied",
            SmolLM2(hidden: 576, intermediate: 1536, layers: 30, heads: 9, keyValueHeads: 3) with { InitializerRange = 1.0 / 24 },
            0.01),
        new("250m", "247 M: narrow and deep", Shape(768, 2560, 24, 16), 0.01),
        new("smollm2-360m", "362 M: SmolLM2-360M, grouped queries, tied", SmolLM2(960, 2560, 32, 15, 5), 0.01),
        new("350m", "368 M: of GPT-2 medium's size", Shape(1024, 2736, 24, 16), 0.01),
        new(
            "tinyllama-1.1b",
            "1.1 B: TinyLlama, grouped queries",
            Shape(2048, 5632, 22, 32) with { NumKeyValueHeads = 4, MaxPositionEmbeddings = 2048, RmsNormEps = 1e-5, BosTokenId = 1, EosTokenId = 2 },
            0.01),
        new(
            "llama3.2-1b",
            "1.2 B: Llama-3.2-1B, grouped queries, tied, vocabulary 128,256",
            Shape(2048, 8192, 16, 32) with
            {
                NumKeyValueHeads = 8,
                VocabSize = 128_256,
                MaxPositionEmbeddings = 131_072,
                RopeTheta = 500_000,
                RopeScaling = new RotaryScaling
                {
                    Kind = RotaryScalingKind.Llama3,
                    Factor = 32,
                    LowFreqFactor = 1,
                    HighFreqFactor = 4,
                    OriginalMaxPositionEmbeddings = 8192,
                },
                RmsNormEps = 1e-5,
                TieWordEmbeddings = true,
                BosTokenId = 128_000,
                EosTokenId = 128_001,
            },
            0.01),
        new("1b", "1.3 B", Shape(2048, 5461, 24, 32), 0.01),
        new("3b", "2.7 B", Shape(2560, 6848, 32, 32), 0.005),
        new("7b", "6.7 B: LLaMA-7B", Shape(4096, 11008, 32, 32) with { MaxPositionEmbeddings = 4096 }, 0.005),
        new(
            "llama3-8b",
            "8 B: Llama-3-8B, grouped queries, vocabulary 128,256",
            Llama3(4096, 14336, 32, 32),
            0.005),
        new("13b", "13 B: LLaMA-13B", Shape(5120, 13824, 40, 40) with { MaxPositionEmbeddings = 4096 }, 0.003),
        new("30b", "33 B: LLaMA-30B", Shape(6656, 17920, 60, 52) with { MaxPositionEmbeddings = 2048 }, 0.002),
        new("65b", "65 B: LLaMA-65B", Shape(8192, 22016, 80, 64) with { MaxPositionEmbeddings = 2048 }, 0.002),
        new(
            "llama2-70b",
            "69 B: Llama-2-70B, grouped queries",
            Shape(8192, 28672, 80, 64) with { NumKeyValueHeads = 8, MaxPositionEmbeddings = 4096, RmsNormEps = 1e-5, BosTokenId = 1, EosTokenId = 2 },
            0.002),
        new("llama3-70b", "71 B: Llama-3-70B, grouped queries, vocabulary 128,256", Llama3(8192, 28672, 80, 64), 0.002),
    ];

    /// <summary>The preset of that name, case ignored; null if there is none.</summary>
    public static LlamaPreset? TryFind(string name) =>
        All.FirstOrDefault(preset => preset.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The preset of that name, case ignored.</summary>
    /// <exception cref="UsageException">There is none; the message lists the names.</exception>
    public static LlamaPreset Find(string name) => TryFind(name)
        ?? throw new UsageException($"no model preset is called '{name}'; there are {string.Join(", ", All.Select(preset => preset.Name))}");

    private static LlamaConfig SmolLM2(int hidden, int intermediate, int layers, int heads, int keyValueHeads) =>
        Shape(hidden, intermediate, layers, heads) with
        {
            NumKeyValueHeads = keyValueHeads,
            VocabSize = 49_152,
            MaxPositionEmbeddings = 8192,
            RopeTheta = 100_000,
            RmsNormEps = 1e-5,
            TieWordEmbeddings = true,
            BosTokenId = 0,
            EosTokenId = 0,
        };

    private static LlamaConfig Llama3(int hidden, int intermediate, int layers, int heads) => Shape(hidden, intermediate, layers, heads) with
    {
        NumKeyValueHeads = 8,
        VocabSize = 128_256,
        MaxPositionEmbeddings = 8192,
        RopeTheta = 500_000,
        RmsNormEps = 1e-5,
        BosTokenId = 128_000,
        EosTokenId = 128_001,
    };

    private static LlamaConfig Shape(int hidden, int intermediate, int layers, int heads) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        NumHiddenLayers = layers,
        NumAttentionHeads = heads,
        NumKeyValueHeads = heads,
        HeadDim = hidden / heads,
        VocabSize = 32_000,
        MaxPositionEmbeddings = 1024,
    };
}
