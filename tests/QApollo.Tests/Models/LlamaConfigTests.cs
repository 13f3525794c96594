using QApollo.Models;
using Xunit;

namespace QApollo.Tests.Models;

public class LlamaConfigTests
{
    [Fact]
    public void Parameters_are_counted_matrix_by_matrix()
    {
        // Two layers of hidden 8, intermediate 12, 4 heads of 2 and 2 key/value heads; vocabulary 10.
        LlamaConfig config = Small();
        int layer = (8 * 8) + (2 * 4 * 8) + (8 * 8) + (3 * 12 * 8) + (2 * 8);

        Assert.Equal(layer, config.ParametersPerLayer);
        Assert.Equal((2 * 10 * 8) + (2 * layer) + 8, config.ParameterCount);
        Assert.Equal((10 * 8) + (2 * layer) + 8, (config with { TieWordEmbeddings = true }).ParameterCount);
    }

    [Fact]
    public void Parameters_of_a_head_size_of_its_own_follow_the_head_size()
    {
        LlamaConfig config = Small() with { HeadDim = 6 };

        Assert.Equal(24, config.QuerySize);
        Assert.Equal(12, config.KeyValueSize);
        Assert.Equal((24 * 8) + (2 * 12 * 8) + (8 * 24) + (3 * 12 * 8) + (2 * 8), config.Validate("x").ParametersPerLayer);
    }

    public static TheoryData<LlamaConfig, string> Inconsistent => new()
    {
        { Small() with { HiddenSize = 0 }, "test: hidden_size is 0; it must be positive and finite" },
        { Small() with { IntermediateSize = -1 }, "test: intermediate_size is -1; it must be positive and finite" },
        { Small() with { NumHiddenLayers = 0 }, "test: num_hidden_layers is 0; it must be positive and finite" },
        { Small() with { NumHiddenLayers = 2_000_000_000 }, "test: num_hidden_layers is 2000000000; at most 10000 are supported" },
        { Small() with { NumAttentionHeads = 0 }, "test: num_attention_heads is 0; it must be positive and finite" },
        { Small() with { NumKeyValueHeads = 0 }, "test: num_key_value_heads is 0; it must be positive and finite" },
        { Small() with { NumKeyValueHeads = 3 }, "test: num_attention_heads 4 is not a multiple of num_key_value_heads 3" },
        { Small() with { NumKeyValueHeads = 8 }, "test: num_attention_heads 4 is not a multiple of num_key_value_heads 8" },
        { Small() with { HeadDim = 0 }, "test: head_dim is 0; it must be positive and finite" },
        { Small() with { HeadDim = 3 }, "test: head_dim is 3; rotary embeddings need an even number" },
        { Small() with { VocabSize = 0 }, "test: vocab_size is 0; it must be positive and finite" },
        { Small() with { MaxPositionEmbeddings = 0 }, "test: max_position_embeddings is 0; it must be positive and finite" },
        { Small() with { RmsNormEps = 0 }, "test: rms_norm_eps is 0; it must be positive and finite" },
        { Small() with { RmsNormEps = 1e-60 }, "test: rms_norm_eps is 1E-60; it must be positive and finite" },
        { Small() with { RopeTheta = double.NaN }, "test: rope_theta is NaN; it must be positive and finite" },
        { Small() with { RopeTheta = 1e60 }, "test: rope_theta is 1E+60; it must be positive and finite" },
        { Small() with { InitializerRange = -0.02 }, "test: initializer_range is -0.02; it must be positive and finite" },
        { Small() with { BosTokenId = -1 }, "test: bos_token_id is -1; token ids are 0 to 9 (vocab_size 10)" },
        { Small() with { EosTokenId = 10 }, "test: eos_token_id is 10; token ids are 0 to 9 (vocab_size 10)" },
        { Small() with { NumAttentionHeads = 1 << 20, NumKeyValueHeads = 1, HeadDim = 1 << 12 }, "test: num_attention_heads 1048576 times head_dim 4096 is more than 2147483647 features" },
        {
            Small() with { HiddenSize = 1 << 30, IntermediateSize = 1 << 30, VocabSize = 1 << 30, NumHiddenLayers = 10_000 },
            "test: the sizes give a model of 3.46E+22 parameters, which cannot be addressed"
        },
        { Small() with { HiddenSize = int.MaxValue }, "test: hidden_size is 2147483647; at most 1073741824 is supported" },
        { Small() with { IntermediateSize = (1 << 30) + 1 }, "test: intermediate_size is 1073741825; at most 1073741824 is supported" },
        { Small() with { VocabSize = 2147480000 }, "test: vocab_size is 2147480000; at most 1073741824 is supported" },
    };

    [Theory]
    [MemberData(nameof(Inconsistent), DisableDiscoveryEnumeration = true)]
    public void Sizes_that_do_not_fit_are_refused_in_one_line(LlamaConfig config, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => config.Validate("test")).Message);

    [Fact]
    public void The_largest_model_accepted_is_counted_without_overflow()
    {
        LlamaConfig config = Small() with { HiddenSize = 1 << 24, IntermediateSize = 1 << 26, NumHiddenLayers = 100 };

        Assert.Equal(config, config.Validate("test"));
        Assert.True(config.ParameterCount > 3L * 100 << 50);
    }

    private static LlamaConfig Small() => new()
    {
        HiddenSize = 8,
        IntermediateSize = 12,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 2,
        VocabSize = 10,
        MaxPositionEmbeddings = 32,
    };
}
