using QApollo.Models;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.TestSupport;

public class ReferenceLlamaTests
{
    private const int Sequence = 5;
    private static readonly long[] InputIds = [1, 4, 4, 0, 6, 2, 3, 1, 5, 2];
    private static readonly long[] Labels = [4, 4, -100, 6, 2, 3, 1, 5, 2, -100];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_gradient_is_the_derivative_of_the_loss(bool tied)
    {
        LlamaConfig config = Config(tied);
        Dictionary<string, double[]> weights = RandomWeights(config);
        var llama = new ReferenceLlama(config, weights);
        IReadOnlyDictionary<string, double[]> gradients = llama.Run(InputIds, Labels, Sequence).Gradients;

        Assert.Equal(weights.Keys.Order(), gradients.Keys.Order());
        foreach (var (name, weight) in weights)
        {
            double[] differences = new double[weight.Length];
            for (int i = 0; i < weight.Length; i++)
            {
                differences[i] = CentralDifference(ref weight[i], () => llama.Run(InputIds, Labels, Sequence).Loss);
            }

            Compare.AllClose(gradients[name], differences, 1e-8, 0, name);
            Assert.True(gradients[name].Max(Math.Abs) > 1e-4, $"the gradient of {name} is too small to be checked");
        }
    }

    [Fact]
    public void Later_tokens_and_other_sequences_change_no_logit()
    {
        LlamaConfig config = Config(tied: false);
        var llama = new ReferenceLlama(config, RandomWeights(config));
        long[] changed = [.. InputIds];
        changed[3] = 5;
        double[] before = llama.Run(InputIds, Labels, Sequence).Logits;
        double[] after = llama.Run(changed, Labels, Sequence).Logits;

        Assert.Equal(before[..(3 * config.VocabSize)], after[..(3 * config.VocabSize)]);
        Assert.NotEqual(before[3 * config.VocabSize], after[3 * config.VocabSize]);
        Assert.NotEqual(before[4 * config.VocabSize], after[4 * config.VocabSize]);
        Assert.Equal(before[(Sequence * config.VocabSize)..], after[(Sequence * config.VocabSize)..]);
    }

    [Fact]
    public void With_a_common_divisor_the_passes_of_two_micro_batches_add_up_to_one()
    {
        LlamaConfig config = Config(tied: true);
        var llama = new ReferenceLlama(config, RandomWeights(config));
        ReferencePass whole = llama.Run(InputIds, Labels, Sequence);
        ReferencePass first = llama.Run(InputIds.AsSpan(0, 5), Labels.AsSpan(0, 5), Sequence, whole.Counted);
        ReferencePass second = llama.Run(InputIds.AsSpan(5), Labels.AsSpan(5), Sequence, whole.Counted);

        Assert.Equal((8, 4, 4), (whole.Counted, first.Counted, second.Counted));
        Assert.Equal(whole.Loss, first.Loss + second.Loss, 12);
        foreach (var (name, gradient) in whole.Gradients)
        {
            double[] sum = [.. first.Gradients[name].Select((value, i) => value + second.Gradients[name][i])];
            Compare.AllClose(sum, gradient, 1e-14, 1e-12, name);
        }
    }

    [Fact]
    public void Without_a_label_that_counts_loss_and_gradients_are_zero()
    {
        LlamaConfig config = Config(tied: false);
        ReferencePass pass = new ReferenceLlama(config, RandomWeights(config)).Run(InputIds, Enumerable.Repeat(-100L, 10).ToArray(), Sequence);

        Assert.Equal((0.0, 0), (pass.Loss, pass.Counted));
        Assert.All(pass.Gradients.Values, gradient => Assert.All(gradient, value => Assert.Equal(0, value)));
    }

    /// <summary>Grouped queries, and a head size that makes the attention wider than the model.</summary>
    private static LlamaConfig Config(bool tied) => new()
    {
        HiddenSize = 6,
        IntermediateSize = 7,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 4,
        VocabSize = 7,
        MaxPositionEmbeddings = Sequence,
        RmsNormEps = 1e-3,
        RopeTheta = 100,
        TieWordEmbeddings = tied,
    };

    private static Dictionary<string, double[]> RandomWeights(LlamaConfig config)
    {
        var random = new Random(4);
        var weights = new Dictionary<string, double[]>
        {
            ["model.embed_tokens.weight"] = Matrix(config.VocabSize, config.HiddenSize),
            ["model.norm.weight"] = Gain(),
        };
        if (!config.TieWordEmbeddings)
        {
            weights["lm_head.weight"] = Matrix(config.VocabSize, config.HiddenSize);
        }

        for (int layer = 0; layer < config.NumHiddenLayers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            weights[prefix + "input_layernorm.weight"] = Gain();
            weights[prefix + "self_attn.q_proj.weight"] = Matrix(config.QuerySize, config.HiddenSize);
            weights[prefix + "self_attn.k_proj.weight"] = Matrix(config.KeyValueSize, config.HiddenSize);
            weights[prefix + "self_attn.v_proj.weight"] = Matrix(config.KeyValueSize, config.HiddenSize);
            weights[prefix + "self_attn.o_proj.weight"] = Matrix(config.HiddenSize, config.QuerySize);
            weights[prefix + "post_attention_layernorm.weight"] = Gain();
            weights[prefix + "mlp.gate_proj.weight"] = Matrix(config.IntermediateSize, config.HiddenSize);
            weights[prefix + "mlp.up_proj.weight"] = Matrix(config.IntermediateSize, config.HiddenSize);
            weights[prefix + "mlp.down_proj.weight"] = Matrix(config.HiddenSize, config.IntermediateSize);
        }

        return weights;

        double[] Matrix(int rows, int columns) => [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextDouble() - 0.5)];
        double[] Gain() => [.. Enumerable.Range(0, config.HiddenSize).Select(_ => 0.5 + random.NextDouble())];
    }

    private static double CentralDifference(ref double variable, Func<double> function)
    {
        const double Step = 1e-5;
        double saved = variable;
        variable = saved + Step;
        double above = function();
        variable = saved - Step;
        double below = function();
        variable = saved;
        return (above - below) / (2 * Step);
    }
}
