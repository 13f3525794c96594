using QApollo.Inference;
using Xunit;

namespace QApollo.Tests.Inference;

public class TokenSamplerTests
{
    private static readonly float[] Logits = [1f, 3f, -2f, 2f, 3f, float.NegativeInfinity, float.NaN, 0.5f];

    [Fact]
    public void Temperature_0_takes_the_likeliest_and_of_equals_the_first()
    {
        var sampler = new TokenSampler(new GenerationOptions { Temperature = 0 }, Logits.Length);
        Assert.Equal(1, sampler.Choose(Logits, 0));
        Assert.Equal(1, sampler.Choose(Logits, 99));
        Assert.Equal(3, sampler.Choose([-5f, -4f, -3f, -0f, 0f, -6f, -7f, -8f], 0));
    }

    [Fact]
    public void Frequencies_follow_the_softmax_of_the_tempered_logits()
    {
        const int Draws = 40_000;
        var options = new GenerationOptions { Temperature = 0.7, TopP = 1, Seed = 5 };
        int[] counts = Count(options, Draws);
        double[] weights = [.. Logits.Select(logit => float.IsFinite(logit) ? Math.Exp(logit / 0.7) : 0)];
        for (int token = 0; token < counts.Length; token++)
        {
            double p = weights[token] / weights.Sum();

            // Four standard deviations of a binomial count.
            Assert.True(Math.Abs(counts[token] - (Draws * p)) <= 4 * Math.Sqrt(Draws * p * (1 - p)) + 1e-9, $"token {token}: {counts[token]} of {Draws}, p {p}");
        }
    }

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(2, new[] { 1, 4 })]
    [InlineData(3, new[] { 1, 3, 4 })]
    [InlineData(100, new[] { 0, 1, 2, 3, 4, 7 })]
    public void Top_k_draws_from_exactly_the_k_likeliest(int k, int[] expected) =>
        Assert.Equal(expected, Drawn(new GenerationOptions { TopK = k, TopP = 1, Temperature = 3 }));

    // Weights at temperature 1: e^3, e^3, e^2, e^1, e^0.5, e^-2 of 51.99: 0.386, 0.386, 0.142, 0.052, 0.032, 0.003.
    [Theory]
    [InlineData(0, new[] { 1 })]
    [InlineData(0.38, new[] { 1 })]
    [InlineData(0.39, new[] { 1, 4 })]
    [InlineData(0.78, new[] { 1, 3, 4 })]
    [InlineData(0.92, new[] { 0, 1, 3, 4 })]
    [InlineData(1, new[] { 0, 1, 2, 3, 4, 7 })]
    public void Top_p_draws_from_the_fewest_tokens_that_have_the_probability(double p, int[] expected) =>
        Assert.Equal(expected, Drawn(new GenerationOptions { TopP = p, Temperature = 1 }));

    [Fact]
    public void Tokens_beyond_the_tokenizers_are_never_chosen()
    {
        var sampler = new TokenSampler(new GenerationOptions { Temperature = 0 }, choices: 2);
        Assert.Equal(0, sampler.Choose([1f, 0.5f, 100f], 0));
    }

    [Fact]
    public void Logits_without_a_number_are_a_failure()
    {
        var sampler = new TokenSampler(new GenerationOptions(), choices: 2);
        Assert.Contains("finite", Assert.Throws<RunFailedException>(() => sampler.Choose([float.NaN, float.PositiveInfinity], 0)).Message, StringComparison.Ordinal);
    }

    private static int[] Drawn(GenerationOptions options) =>
        [.. Count(options, 20_000).Index().Where(entry => entry.Item > 0).Select(entry => entry.Index)];

    private static int[] Count(GenerationOptions options, int draws)
    {
        var counts = new int[Logits.Length];
        var sampler = new TokenSampler(options, Logits.Length);
        for (int i = 0; i < draws; i++)
        {
            counts[sampler.Choose(Logits, i)]++;
        }

        return counts;
    }
}
