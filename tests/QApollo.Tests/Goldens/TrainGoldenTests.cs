using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Goldens;

/// <summary>The references together (model, update rules, quantizer) follow the official training runs.</summary>
public class TrainGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Train), MemberType = typeof(GoldenCases))]
    public void The_references_follow_the_official_run_of_APOLLO_Mini(string set)
    {
        TrainGolden golden = TrainGolden.Load(set);
        var run = new Run(golden.Course, golden.Initial, golden.Course.LowRank);
        for (int step = 0; step < golden.Course.Losses.Length; step++)
        {
            double loss = run.Step();
            Compare.AllClose([loss], golden.Course.Losses.AsSpan(step, 1), 5e-4, 0, $"loss of step {step}");
            if (step < golden.Course.ProjectionGap)
            {
                CompareLimiterNorms(run, golden.Course, step);
            }
        }

        foreach (var (name, expected) in golden.Final)
        {
            Compare.AllClose(run.Weights[name], expected, 2e-3, 0, name);
            Assert.InRange(Compare.RelativeL2<float>(Precision.ToSingle(run.Weights[name]), expected), 0, 5e-4);
        }
    }

    [Theory]
    [MemberData(nameof(GoldenCases.Train), MemberType = typeof(GoldenCases))]
    public void The_references_follow_the_official_run_of_AdamW(string set)
    {
        TrainGolden golden = TrainGolden.Load(set);
        var run = new Run(golden.Course, golden.Initial, new HashSet<string>());
        for (int step = 0; step < Math.Min(12, golden.AdamLosses.Length); step++)
        {
            double loss = run.Step();
            Compare.AllClose([loss], golden.AdamLosses.AsSpan(step, 1), 5e-5, 0, $"loss of step {step}");
        }
    }

    [Theory]
    [MemberData(nameof(GoldenCases.QTrain), MemberType = typeof(GoldenCases))]
    public void The_references_follow_the_official_run_of_quantized_APOLLO_Mini(string set, string name)
    {
        QTrainGolden golden = QTrainGolden.Load(set, name);
        var state = golden.Initial.Quantized.ToDictionary();
        var run = new Run(golden.Course, golden.Initial.Dequantize(), golden.Course.LowRank);
        for (int step = 0; step < Math.Min(8, golden.Course.Losses.Length); step++)
        {
            double loss = run.Step();
            Compare.AllClose([loss], golden.Course.Losses.AsSpan(step, 1), 2e-3, 0, $"loss of step {step}");
            foreach (string parameter in state.Keys)
            {
                state[parameter] = OfficialQuantizer.Quantize(Precision.ToSingle(run.Weights[parameter]), state[parameter].GroupSize);
                run.Weights[parameter] = Precision.ToDouble(state[parameter].Dequantize());
            }

            if (step == 3)
            {
                CompareCodes(state, golden.AfterFour.Quantized);
            }
        }
    }

    /// <summary>Only before the weights have drifted apart: a factor is the quotient of two small norms.</summary>
    private static void CompareLimiterNorms(Run run, TrainingCourse course, int step)
    {
        Assert.Equal(course.LowRank.Order(), course.LimiterNorms.Keys.Order());
        foreach (var (name, norms) in course.LimiterNorms)
        {
            Compare.AllClose([run.LowRank[name].LimiterNorm], norms.AsSpan(step, 1), 0, 1e-3, $"limiter norm of {name} at step {step}");
        }
    }

    private static void CompareCodes(Dictionary<string, OfficialQuantized> actual, IReadOnlyDictionary<string, OfficialQuantized> expected)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        int[] differences = [.. expected.SelectMany(pair => pair.Value.Codes.Zip(actual[pair.Key].Codes, (e, a) => Math.Abs(e - a)))];
        Assert.InRange(differences.Max(), 0, 2);
        Assert.InRange(differences.Count(difference => difference > 0), 0, 0.02 * differences.Length);
    }

    /// <summary>Plain training of the reference model: forward, backward, one update of every parameter.</summary>
    private sealed class Run
    {
        private readonly TrainingCourse course;
        private readonly ReferenceLlama model;
        private readonly Dictionary<string, ReferenceAdam> regular = [];
        private int step;

        public Run(TrainingCourse course, IReadOnlyDictionary<string, float[]> initial, IReadOnlySet<string> lowRank)
        {
            this.course = course;
            Weights = initial.ToDictionary(pair => pair.Key, pair => Precision.ToDouble(pair.Value));
            model = new ReferenceLlama(course.Config, Weights);
            foreach (var (name, weight) in Weights)
            {
                if (lowRank.Contains(name))
                {
                    var (rows, columns) = MatrixShape(name, weight.Length);
                    LowRank.Add(name, new ReferenceApollo(rows, columns, course.Settings));
                }
                else
                {
                    regular.Add(name, new ReferenceAdam(weight.Length, course.Settings.Adam));
                }
            }
        }

        public Dictionary<string, double[]> Weights { get; }

        public Dictionary<string, ReferenceApollo> LowRank { get; } = [];

        /// <returns>The loss before the update.</returns>
        public double Step()
        {
            ReferencePass pass = model.Run(course.InputIds[step], course.Labels[step], course.Sequence);
            double learningRate = course.LearningRates[step];
            foreach (var (name, gradient) in pass.Gradients)
            {
                if (LowRank.TryGetValue(name, out ReferenceApollo? apollo))
                {
                    float[] projection = course.Projections[name][step / course.ProjectionGap];
                    apollo.Step(Weights[name], gradient, Precision.ToDouble(projection), learningRate);
                }
                else
                {
                    regular[name].Step(Weights[name], gradient, learningRate);
                }
            }

            step++;
            return pass.Loss;
        }

        private (int Rows, int Columns) MatrixShape(string name, int elements)
        {
            int columns = name.Contains("o_proj", StringComparison.Ordinal) ? course.Config.QuerySize
                : name.Contains("down_proj", StringComparison.Ordinal) ? course.Config.IntermediateSize
                : course.Config.HiddenSize;
            return (elements / columns, columns);
        }
    }
}
