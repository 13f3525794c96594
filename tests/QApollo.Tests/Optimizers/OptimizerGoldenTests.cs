using QApollo.Optimizers;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Optimizers;

/// <summary>The engine's optimizers follow the trajectories of the official code.</summary>
public class OptimizerGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Apollo), MemberType = typeof(GoldenCases))]
    public void APOLLO_follows_the_official_trajectory(string set, string shape, string run)
    {
        ApolloGolden golden = ApolloGolden.Load(set, shape, run);
        using OptimizerHarness harness = Apollo(golden.Rows, golden.Columns, golden.Settings);
        harness.Values = golden.Initial;
        for (int t = 0; t < golden.Weights.Length; t++)
        {
            harness.Projection = golden.Projections[t];
            harness.Step((uint)t + 1, golden.LearningRates[t], golden.Gradients[t]);
            Compare.AllClose(harness.Values, golden.Weights[t], 1e-5, 0, $"weight after update {t + 1}");
            if (golden.LimiterNorms is not null)
            {
                Compare.AllClose(harness.State(2), golden.LimiterNorms.AsSpan(t, 1), 0, 1e-5, $"limiter norm after update {t + 1}");
            }
        }

        Compare.AllClose(harness.State(0), golden.FirstMoment, 1e-5 * golden.FirstMoment.Max(MathF.Abs), 0, "first moment");
        Compare.AllClose(harness.State(1), golden.SecondMoment, 1e-5 * golden.SecondMoment.Max(MathF.Abs), 0, "second moment");
    }

    [Theory]
    [MemberData(nameof(GoldenCases.Adam), MemberType = typeof(GoldenCases))]
    public void AdamW_follows_the_official_trajectory(string set, string shape, string run)
    {
        AdamGolden golden = AdamGolden.Load(set, shape, run);
        var settings = new ApolloSettings(golden.Settings, 1, 1, false, false, false);
        int[] extents = [.. shape.Split('x').Select(int.Parse)];
        (int rows, int columns) = extents.Length == 1 ? (1, extents[0]) : (extents[0], extents[1]);
        OptimizerOptions options = GoldenCourse.ToOptions(settings, OptimizerKind.AdamW, 1);
        using var harness = new OptimizerHarness(
            rows, columns, options, (table, weight, _) => new AdamWOptimizer(table, weight, options, new OptimizerScratch(table)));
        harness.Values = golden.Initial;
        for (int t = 0; t < golden.Weights.Length; t++)
        {
            harness.Step((uint)t + 1, golden.LearningRates[t], golden.Gradients[t]);
            Compare.AllClose(harness.Values, golden.Weights[t], 2e-6, 0, $"weight after update {t + 1}");
        }

        Compare.AllClose(harness.State(0), golden.FirstMoment, 1e-5 * golden.FirstMoment.Max(MathF.Abs), 0, "first moment");
        Compare.AllClose(harness.State(1), golden.SecondMoment, 1e-5 * golden.SecondMoment.Max(MathF.Abs), 0, "second moment");
    }

    [Theory]
    [MemberData(nameof(GoldenCases.QApolloRuns), MemberType = typeof(GoldenCases))]
    public void APOLLO_on_official_groups_follows_the_official_codes(string set, string run)
    {
        int differing = 0;
        int codes = 0;
        foreach (string shape in GoldenCases.Shapes(set))
        {
            QApolloGolden golden = QApolloGolden.Load(set, shape, run);
            using OptimizerHarness harness = Apollo(golden.Rows, golden.Columns, golden.Settings);
            OfficialQuantized state = golden.Initial;
            for (int t = 0; t < golden.Quantized.Length; t++)
            {
                harness.Values = state.Dequantize();
                harness.Projection = golden.Projections[t];
                harness.Step((uint)t + 1, golden.LearningRates[t], golden.Gradients[t]);
                state = golden.Uniforms is null
                    ? OfficialQuantizer.Quantize(harness.Values, state.GroupSize)
                    : OfficialQuantizer.QuantizeStochastic(harness.Values, state.GroupSize, golden.Uniforms[t]);
                for (int i = 0; i < state.Codes.Length; i++)
                {
                    int difference = Math.Abs(state.Codes[i] - golden.Quantized[t].Codes[i]);
                    Assert.True(difference <= 1, $"{shape}: code {i} after update {t + 1} is {state.Codes[i]}, expected {golden.Quantized[t].Codes[i]}");
                    differing += difference;
                    codes++;
                }
            }
        }

        Assert.True(differing <= 0.002 * codes, $"{differing} of {codes} codes differ");
    }

    private static OptimizerHarness Apollo(int rows, int columns, ApolloSettings settings)
    {
        OptimizerOptions options = GoldenCourse.ToOptions(settings, settings.TensorWise ? OptimizerKind.ApolloMini : OptimizerKind.Apollo, 1);
        return new OptimizerHarness(
            rows, columns, options,
            (table, weight, projections) => new ApolloOptimizer(table, weight, options, new OptimizerScratch(table), projections));
    }
}
