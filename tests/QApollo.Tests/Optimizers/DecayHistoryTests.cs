using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Optimizers;

public class DecayHistoryTests
{
    [Fact]
    public void Products_go_on_where_decays_change_and_stay_one_history_where_they_do_not()
    {
        var options = new OptimizerOptions { Beta1 = 0.9, Beta2 = 0.999 };
        var first = DecayHistory.Of(options);
        Assert.Same(first, first.Continue(options, 7));
        Assert.Equal((Math.Pow(0.9, 5), Math.Pow(0.999, 5)), (first.FirstAt(5), first.SecondAt(5)));
        DecayHistory second = first.Continue(options with { Beta2 = 0.95 }, 5).Continue(options with { Beta1 = 0.5, Beta2 = 0.95 }, 8);
        Assert.Equal(Math.Pow(0.9, 8) * 0.25, second.FirstAt(10), 15);
        Assert.Equal(Math.Pow(0.999, 5) * Math.Pow(0.95, 5), second.SecondAt(10), 15);
    }

    /// <summary>Corrected moments of a constant gradient are that gradient and its square, whatever the decays were: the update is the learning rate.</summary>
    [Theory]
    [InlineData(BiasCorrection.StepSize)]
    [InlineData(BiasCorrection.Direction)]
    public void A_constant_gradient_moves_weights_by_the_learning_rate_also_after_a_change(BiasCorrection correction)
    {
        var before = new OptimizerOptions { Beta1 = 0.9, Beta2 = 0.9999, Epsilon = 1e-12f, BiasCorrection = correction };
        OptimizerOptions after = before with { Beta1 = 0.7, Beta2 = 0.99 };
        float[] gradient = [0.5f, -2, 3, 0.25f];
        using OptimizerHarness first = AdamW(before), second = AdamW(after);
        for (uint step = 1; step <= 5; step++)
        {
            first.Step(step, 0.01, gradient);
        }

        second.SetState(0, first.State(0));
        second.SetState(1, first.State(1));
        second.Decays = first.Decays.Continue(after, 5);
        for (uint step = 6; step <= 9; step++)
        {
            float[] values = second.Values;
            second.Step(step, 0.01, gradient);
            Compare.AllClose(second.Values, [.. values.Select((value, i) => value - (0.01f * MathF.Sign(gradient[i])))], 1e-6, 0, $"weights after update {step}");
        }
    }

    private static OptimizerHarness AdamW(OptimizerOptions options) =>
        new(1, 4, options, (table, weight, _) => new AdamWOptimizer(table, weight, options, new OptimizerScratch(table)));
}
