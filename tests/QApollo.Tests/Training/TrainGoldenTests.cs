using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>The engine trains as the official code trained.</summary>
public class TrainGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Train), MemberType = typeof(GoldenCases))]
    public void Training_with_APOLLO_Mini_follows_the_official_run(string set)
    {
        TrainGolden golden = TrainGolden.Load(set);
        using IDevice device = Engine.Device();
        TrainingOptions options = GoldenCourse.Options(golden.Course, OptimizerKind.ApolloMini);
        RequireSchedule(options.Schedule, golden.Course.LearningRates);
        using Trainer trainer = Engine.Trainer(options, device, new SavedProjections(golden.Course.Projections));
        trainer.Load(golden.Initial);

        List<double> losses = GoldenCourse.Run(trainer, golden.Course, steps => CompareLimiter(trainer, golden.Course, steps));

        Compare.AllClose(losses.ToArray(), golden.Course.Losses, 5e-4, 0, "losses");
        foreach ((string name, float[] actual) in trainer.ReadAll())
        {
            Compare.AllClose(actual, golden.Final[name], 2e-3, 0, name);
            Assert.InRange(Compare.RelativeL2<float>(actual, golden.Final[name]), 0, 5e-4);
        }
    }

    [Theory]
    [MemberData(nameof(GoldenCases.Train), MemberType = typeof(GoldenCases))]
    public void Training_with_AdamW_follows_the_official_run(string set)
    {
        TrainGolden golden = TrainGolden.Load(set);
        using IDevice device = Engine.Device();
        using Trainer trainer = Engine.Trainer(GoldenCourse.Options(golden.Course, OptimizerKind.AdamW), device);
        trainer.Load(golden.Initial);

        List<double> losses = GoldenCourse.Run(trainer, golden.Course);

        Compare.AllClose(losses.ToArray(), golden.AdamLosses, 5e-5, 0, "losses");
        if (golden.AdamFinal is not null)
        {
            foreach ((string name, float[] actual) in trainer.ReadAll())
            {
                Compare.AllClose(actual, golden.AdamFinal[name], 2e-4, 0, name);
                Assert.InRange(Compare.RelativeL2<float>(actual, golden.AdamFinal[name]), 0, 5e-5);
            }
        }
    }

    private static void RequireSchedule(LearningRateSchedule schedule, double[] expected)
    {
        float[] rates = [.. Enumerable.Range(0, expected.Length).Select(schedule.At)];
        Compare.AllClose(rates, expected, 1e-9, 1e-6, "learning rates");
    }

    private static void CompareLimiter(Trainer trainer, TrainingCourse course, int steps)
    {
        foreach (ParameterOptimizer optimizer in trainer.Layout.Optimizers)
        {
            if (course.LimiterNorms.TryGetValue(optimizer.Weight.Parameter.Name, out float[]? expected))
            {
                float stored = Engine.Floats(trainer.Device, optimizer.State[2])[0];
                Compare.AllClose([stored], expected.AsSpan(steps - 1, 1), 0, 5e-3, $"limiter norm of {optimizer.Weight.Parameter.Name} after {steps}");
            }
        }
    }
}
