using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>
/// The engine trains INT8 weights as the official code trained them, when its groups are the official ones: a hook
/// requantizes each matrix by the official rule after its update.
/// </summary>
public class QuantizedTrainGoldenTests
{
    private const int ComparedSteps = 8;
    private const int CodesAfter = 4;

    [Theory]
    [MemberData(nameof(GoldenCases.QTrain), MemberType = typeof(GoldenCases))]
    public void Quantized_training_follows_the_official_run(string set, string run)
    {
        QTrainGolden golden = QTrainGolden.Load(set, run);
        QuantizedModel? afterFour = null;
        var hook = new OfficialRequantization(golden.Initial);

        double[] losses = Train(golden, peakRatio: 1, hook, steps =>
        {
            if (steps == CodesAfter)
            {
                afterFour = hook.Snapshot();
            }
        });

        Compare.AllClose(losses.AsSpan(0, ComparedSteps), golden.Course.Losses.AsSpan(0, ComparedSteps), 2e-3, 0, "first losses");
        for (int step = ComparedSteps; step < losses.Length; step++)
        {
            Assert.InRange(Math.Abs(losses[step] - golden.Course.Losses[step]), 0, 0.5);
        }

        Assert.InRange(Math.Abs(losses.TakeLast(10).Average() - golden.Course.Losses.TakeLast(10).Average()), 0, 0.15);
        CompareCodes(afterFour!, golden.AfterFour);
    }

    [Theory]
    [MemberData(nameof(GoldenCases.QTrain), MemberType = typeof(GoldenCases))]
    public void Quantized_training_at_other_learning_rates_follows_the_official_run(string set, string run)
    {
        QTrainGolden golden = QTrainGolden.Load(set, run);
        foreach ((double peakRatio, double[] expected) in golden.OtherPeaks)
        {
            Compare.AllClose(
                Train(golden, peakRatio, new OfficialRequantization(golden.Initial), afterStep: null), expected, 0.03, 0,
                $"losses at {peakRatio} of the peak");
        }
    }

    private static double[] Train(QTrainGolden golden, double peakRatio, OfficialRequantization hook, Action<int>? afterStep)
    {
        TrainingOptions options = GoldenCourse.Options(golden.Course, OptimizerKind.ApolloMini);
        options = options with { Schedule = options.Schedule with { Peak = options.Schedule.Peak * peakRatio } };
        using IDevice device = Engine.Device();
        using Trainer trainer = Engine.Trainer(options, device, new SavedProjections(golden.Course.Projections), hook);
        trainer.Load(golden.Initial.Dequantize());
        return [.. GoldenCourse.Run(trainer, golden.Course, afterStep)];
    }

    private static void CompareCodes(QuantizedModel actual, QuantizedModel expected)
    {
        int codes = 0;
        int differing = 0;
        foreach ((string name, OfficialQuantized matrix) in expected.Quantized)
        {
            for (int i = 0; i < matrix.Codes.Length; i++)
            {
                int difference = Math.Abs(actual.Quantized[name].Codes[i] - matrix.Codes[i]);
                Assert.True(difference <= 2, $"{name}: code {i} is {actual.Quantized[name].Codes[i]}, expected {matrix.Codes[i]}");
                differing += difference > 0 ? 1 : 0;
                codes++;
            }
        }

        Assert.True(differing <= 0.02 * codes, $"{differing} of {codes} codes differ after {CodesAfter} updates");
    }

    /// <summary>Holds the matrices in the official format; the engine's dense weights are always their dequantized values.</summary>
    private sealed class OfficialRequantization(QuantizedModel initial) : IReleaseHook
    {
        private readonly Dictionary<string, OfficialQuantized> _matrices = initial.Quantized.ToDictionary();

        public QuantizedModel Snapshot() => initial with { Quantized = _matrices.ToDictionary() };

        public void BeforeUpdate(IDevice device, in ReleasedGradient released)
        {
        }

        public void AfterUpdate(IDevice device, in ReleasedGradient released)
        {
            Weight weight = released.Weight;
            if (_matrices.TryGetValue(weight.Parameter.Name, out OfficialQuantized? matrix))
            {
                _matrices[weight.Parameter.Name] = matrix = OfficialQuantizer.Quantize(Engine.Floats(device, weight.Values), matrix.GroupSize);
                device.Upload(MemoryMarshal.AsBytes<float>(matrix.Dequantize()), weight.Values);
            }
        }
    }
}
