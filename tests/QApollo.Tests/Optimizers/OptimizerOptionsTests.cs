using QApollo.Optimizers;
using Xunit;

namespace QApollo.Tests.Optimizers;

public class OptimizerOptionsTests
{
    /// <summary>0.999 at 524,288 tokens per update forgets half in 363 million tokens; 2,048 tokens per update then need 0.9999961.</summary>
    [Theory]
    [InlineData(363_227_014, 524_288, 0.999)]
    [InlineData(363_227_014, 2048, 0.99999609)]
    [InlineData(1000, 1000, 0.5)]
    [InlineData(1000, 2000, 0.25)]
    public void A_half_life_in_tokens_does_not_depend_on_the_batch(long halfLife, long tokensPerUpdate, double expected) =>
        Assert.Equal(expected, OptimizerOptions.Beta2Of(halfLife, tokensPerUpdate), 7);
}
