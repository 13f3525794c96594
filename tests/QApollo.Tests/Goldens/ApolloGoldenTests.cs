using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Goldens;

/// <summary>The references of the update rules follow the trajectories of the official code.</summary>
public class ApolloGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Apollo), MemberType = typeof(GoldenCases))]
    public void The_reference_of_APOLLO_follows_the_official_trajectory(string set, string shape, string run)
    {
        ApolloGolden golden = ApolloGolden.Load(set, shape, run);
        var apollo = new ReferenceApollo(golden.Rows, golden.Columns, golden.Settings);
        double[] weight = Precision.ToDouble(golden.Initial);
        for (int t = 0; t < golden.Weights.Length; t++)
        {
            apollo.Step(weight, Precision.ToDouble(golden.Gradients[t]), Precision.ToDouble(golden.Projections[t]), golden.LearningRates[t]);
            Compare.AllClose(weight, golden.Weights[t], 1e-5, 0, $"weight after update {t + 1}");
            if (golden.LimiterNorms is not null)
            {
                Compare.AllClose([apollo.LimiterNorm], golden.LimiterNorms.AsSpan(t, 1), 0, 1e-5, $"limiter norm after update {t + 1}");
            }
        }

        Compare.AllClose(apollo.FirstMoment, golden.FirstMoment, 1e-5 * Largest(golden.FirstMoment), 0, "first moment");
        Compare.AllClose(apollo.SecondMoment, golden.SecondMoment, 1e-5 * Largest(golden.SecondMoment), 0, "second moment");
    }

    [Theory]
    [MemberData(nameof(GoldenCases.Adam), MemberType = typeof(GoldenCases))]
    public void The_reference_of_AdamW_follows_the_official_trajectory(string set, string shape, string run)
    {
        AdamGolden golden = AdamGolden.Load(set, shape, run);
        var adam = new ReferenceAdam(golden.Initial.Length, golden.Settings);
        double[] weight = Precision.ToDouble(golden.Initial);
        for (int t = 0; t < golden.Weights.Length; t++)
        {
            adam.Step(weight, Precision.ToDouble(golden.Gradients[t]), golden.LearningRates[t]);
            Compare.AllClose(weight, golden.Weights[t], 2e-6, 0, $"weight after update {t + 1}");
        }

        Compare.AllClose(adam.FirstMoment, golden.FirstMoment, 1e-5 * Largest(golden.FirstMoment), 0, "first moment");
        Compare.AllClose(adam.SecondMoment, golden.SecondMoment, 1e-5 * Largest(golden.SecondMoment), 0, "second moment");
    }

    [Theory]
    [MemberData(nameof(GoldenCases.QApolloRuns), MemberType = typeof(GoldenCases))]
    public void The_reference_of_quantized_APOLLO_follows_the_official_codes(string set, string run)
    {
        int differing = 0;
        int codes = 0;
        foreach (string shape in GoldenCases.Shapes(set))
        {
            QApolloGolden golden = QApolloGolden.Load(set, shape, run);
            differing += FollowQuantized(golden, shape);
            codes += golden.Quantized.Sum(state => state.Codes.Length);
        }

        Assert.True(differing <= 0.002 * codes, $"{differing} of {codes} codes differ");
    }

    /// <returns>Codes that differ, over all updates.</returns>
    private static int FollowQuantized(QApolloGolden golden, string shape)
    {
        var apollo = new ReferenceApollo(golden.Rows, golden.Columns, golden.Settings);
        OfficialQuantized state = golden.Initial;
        int differing = 0;
        for (int t = 0; t < golden.Quantized.Length; t++)
        {
            double[] weight = Precision.ToDouble(state.Dequantize());
            apollo.Step(weight, Precision.ToDouble(golden.Gradients[t]), Precision.ToDouble(golden.Projections[t]), golden.LearningRates[t]);
            state = golden.Uniforms is null
                ? OfficialQuantizer.Quantize(Precision.ToSingle(weight), state.GroupSize)
                : OfficialQuantizer.QuantizeStochastic(Precision.ToSingle(weight), state.GroupSize, golden.Uniforms[t]);
            differing += CompareState(state, golden.Quantized[t], $"{shape}, update {t + 1}");

            // The official rule's bias correction, formed in binary32, carries an error of about 1e-5 into the norm.
            double bound = golden.Settings.Adam.SingleBetas ? 3e-5 : 1e-5;
            Compare.AllClose([apollo.LimiterNorm], golden.LimiterNorms.AsSpan(t, 1), 0, bound, $"{shape}, limiter norm after update {t + 1}");
        }

        return differing;
    }

    /// <summary>Codes may differ by 1; scales are compared where all codes of a group agree.</summary>
    /// <returns>Codes that differ.</returns>
    private static int CompareState(OfficialQuantized actual, OfficialQuantized expected, string what)
    {
        int differing = 0;
        for (int group = 0; group < expected.Scales.Length; group++)
        {
            int before = differing;
            for (int i = group * expected.GroupSize; i < (group + 1) * expected.GroupSize; i++)
            {
                int difference = Math.Abs(actual.Codes[i] - expected.Codes[i]);
                Assert.True(difference <= 1, $"{what}: code {i} is {actual.Codes[i]}, expected {expected.Codes[i]}");
                differing += difference;
            }

            if (differing == before)
            {
                Compare.AllClose(actual.Scales.AsSpan(group, 1), expected.Scales.AsSpan(group, 1), 0, 1e-4, $"{what}: scale of group {group}");
            }
        }

        return differing;
    }

    private static double Largest(float[] values) => values.Max(MathF.Abs);
}
