using QApollo.Models;
using Xunit;

namespace QApollo.Tests.Models;

public class LlamaPresetsTests
{
    // The counts were computed apart from the program, from the published shapes.
    [Theory]
    [InlineData("demo", 128, 352, 4, 4, 885_888)]
    [InlineData("9m", 128, 352, 4, 4, 8_995_968)]
    [InlineData("20m", 256, 688, 4, 4, 19_548_416)]
    [InlineData("35m", 384, 1024, 6, 8, 35_197_824)]
    [InlineData("60m", 512, 1376, 8, 8, 58_073_600)]
    [InlineData("130m", 768, 2048, 12, 12, 134_105_856)]
    [InlineData("smollm2-135m", 576, 1536, 30, 9, 134_515_008)]
    [InlineData("250m", 768, 2560, 24, 16, 247_370_496)]
    [InlineData("smollm2-360m", 960, 2560, 32, 15, 361_821_120)]
    [InlineData("350m", 1024, 2736, 24, 16, 367_969_280)]
    [InlineData("tinyllama-1.1b", 2048, 5632, 22, 32, 1_100_048_384)]
    [InlineData("llama3.2-1b", 2048, 8192, 16, 32, 1_235_814_400)]
    [InlineData("1b", 2048, 5461, 24, 32, 1_339_082_752)]
    [InlineData("3b", 2560, 6848, 32, 32, 2_685_831_680)]
    [InlineData("7b", 4096, 11008, 32, 32, 6_738_415_616)]
    [InlineData("llama3-8b", 4096, 14336, 32, 32, 8_030_261_248)]
    [InlineData("13b", 5120, 13824, 40, 40, 13_015_864_320)]
    [InlineData("30b", 6656, 17920, 60, 52, 32_528_943_616)]
    [InlineData("65b", 8192, 22016, 80, 64, 65_285_660_672)]
    [InlineData("llama2-70b", 8192, 28672, 80, 64, 68_976_648_192)]
    [InlineData("llama3-70b", 8192, 28672, 80, 64, 70_553_706_496)]
    public void Shapes_and_parameter_counts_are_the_published_ones(string name, int hidden, int intermediate, int layers, int heads, long parameters)
    {
        LlamaConfig config = LlamaPresets.Find(name).Config;

        Assert.Equal(
            (hidden, intermediate, layers, heads, hidden / heads),
            (config.HiddenSize, config.IntermediateSize, config.NumHiddenLayers, config.NumAttentionHeads, config.HeadDim));
        Assert.Equal(parameters, config.ParameterCount);
    }

    [Theory]
    [InlineData("demo", 257, 320)]
    [InlineData("9m", 4000, 4032)]
    [InlineData("9m", 4032, 4032)]
    [InlineData("7b", 32_000, 32_000)]
    [InlineData("llama3-8b", 100_277, 100_288)]
    public void A_preset_takes_the_ids_of_a_tokenizer_rounded_up(string name, int ids, int rows)
    {
        LlamaPreset preset = LlamaPresets.Find(name);
        LlamaConfig config = preset.ForTokenizer(ids);
        config.Validate(name);
        Assert.Equal(rows, config.VocabSize);
        Assert.Equal(preset.Config with { VocabSize = rows, BosTokenId = null, EosTokenId = null }, config);
    }

    [Fact]
    public void The_published_vocabulary_keeps_its_start_and_end_tokens() =>
        Assert.Equal((128_000, 128_001), (LlamaPresets.Find("llama3-8b").ForTokenizer(128_256).BosTokenId, LlamaPresets.Find("llama3-8b").ForTokenizer(128_256).EosTokenId));

    [Fact]
    public void Presets_are_valid_listed_smallest_first_and_named_once()
    {
        Assert.Equal(21, LlamaPresets.All.Count);
        Assert.Equal(LlamaPresets.All.OrderBy(preset => preset.Config.ParameterCount), LlamaPresets.All);
        Assert.Distinct(LlamaPresets.All.Select(preset => preset.Name));
        Assert.All(LlamaPresets.All, preset =>
        {
            preset.Config.Validate(preset.Name);
            Assert.Matches("^[^\n]{5,80}$", preset.Description);
        });
    }

    [Fact]
    public void The_learning_rate_from_60m_to_1b_is_the_published_one()
    {
        Assert.All(["60m", "130m", "250m", "350m", "1b"], name => Assert.Equal(0.01, LlamaPresets.Find(name).LearningRate));
        Assert.All(LlamaPresets.All, preset => Assert.InRange(preset.LearningRate, 0.001, 0.01));
    }

    [Theory]
    [InlineData("Llama3-8B")]
    [InlineData("llama3-70b")]
    public void Llama_3_differs_in_heads_vocabulary_and_constants(string name)
    {
        LlamaConfig config = LlamaPresets.Find(name).Config;

        Assert.Equal((8, 128_256, 8192, 500_000.0, 1e-5), (config.NumKeyValueHeads, config.VocabSize, config.MaxPositionEmbeddings, config.RopeTheta, config.RmsNormEps));
        Assert.False(config.TieWordEmbeddings);
    }

    [Fact]
    public void An_unknown_name_is_answered_with_the_names_there_are()
    {
        Assert.Null(LlamaPresets.TryFind("2b"));
        string message = Assert.Throws<UsageException>(() => LlamaPresets.Find("2b")).Message;

        Assert.Equal(
            "no model preset is called '2b'; there are demo, 9m, 20m, 35m, 60m, 130m, smollm2-135m, 250m, smollm2-360m, "
            + "350m, tinyllama-1.1b, llama3.2-1b, 1b, 3b, 7b, llama3-8b, 13b, 30b, 65b, llama2-70b, llama3-70b", message);
    }
}
