using QApollo.Runs;
using Xunit;

namespace QApollo.Tests.Runs;

/// <summary>What counts as a loss that goes wrong, and what does not.</summary>
public class LossWatchTests
{
    private const int Vocabulary = 256;

    [Theory]
    [InlineData(391_881)]
    [InlineData(9)]
    [InlineData(double.NaN)]
    public void A_loss_far_above_that_of_a_guess_is_told_at_the_first_step(double loss) =>
        Assert.Contains("knows nothing has 5.55", new LossWatch(Vocabulary).Judge(loss), StringComparison.Ordinal);

    [Fact]
    public void A_new_model_and_its_descent_are_no_fault()
    {
        var watch = new LossWatch(Vocabulary);
        var random = new Random(1);
        for (int step = 0; step < 2000; step++)
        {
            double loss = 2 + (4 * Math.Exp(-step / 100.0)) + (0.15 * Gaussian(random));
            Assert.Null(watch.Judge(loss));
        }
    }

    [Theory]
    [InlineData(0.01, 2.4, false)]
    [InlineData(0.01, 2.6, true)]
    [InlineData(0.2, 2.9, false)]
    [InlineData(0.2, 3.8, true)]
    public void A_jump_is_told_where_it_is_large_and_far_outside_of_the_spread(double deviation, double loss, bool expected)
    {
        var watch = new LossWatch(Vocabulary);
        for (int step = 0; step < 200; step++)
        {
            Assert.Null(watch.Judge(step % 2 == 0 ? 2 + deviation : 2 - deviation));
        }

        Assert.Equal(expected, watch.Judge(loss)?.Contains("jumped", StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public void A_loss_that_was_only_looked_at_is_not_compared_with()
    {
        var watch = new LossWatch(Vocabulary);
        for (int step = 0; step < 200; step++)
        {
            Assert.Null(watch.Judge(step % 2 == 0 ? 2.1 : 1.9));
        }

        Assert.All(Enumerable.Range(0, 20), _ => Assert.Contains("jumped to 4.0", watch.Find(4), StringComparison.Ordinal));
        Assert.NotNull(watch.Judge(4));
        Assert.Null(watch.Find(3));
    }

    private static double Gaussian(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
