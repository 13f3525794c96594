using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport.Goldens;
using QApollo.Training;

namespace QApollo.Tests.Training;

/// <summary>Runs the engine over the course of a golden training run.</summary>
internal static class GoldenCourse
{
    public static OptimizerOptions ToOptions(ApolloSettings settings, OptimizerKind kind, int gap) => new()
    {
        Kind = kind,
        Beta1 = Beta(settings.Adam, settings.Adam.Beta1),
        Beta2 = Beta(settings.Adam, settings.Adam.Beta2),
        Epsilon = (float)settings.Adam.Epsilon,
        WeightDecay = (float)settings.Adam.WeightDecay,
        DecayFirst = settings.Adam.DecayFirst,
        BiasCorrection = settings.Adam.BiasCorrection,
        Rank = settings.Rank,
        Scale = (float)settings.Scale,
        ScaleFront = settings.ScaleFront,
        UseLimiter = settings.UseLimiter,
        KeepZeroNorm = settings.KeepZeroNorm,
        UpdateProjectionGap = gap,
    };

    /// <summary>Options whose learning rate is set anew before each step, as the course says.</summary>
    public static TrainingOptions Options(TrainingCourse course, OptimizerKind kind) =>
        Engine.Options(course.Config, new StepShape(course.Batch, course.Sequence, 1)) with
        {
            Optimizer = ToOptions(course.Settings, kind, course.ProjectionGap),
            Memory = new MemoryOptions { Weights = Engine.Dense },
            Schedule = CosineOf(course.LearningRates),
        };

    /// <summary>The official quantized optimizer's betas are binary32 numbers: 0.999 is off by 1e-8 there, and 1 - 0.999 by 5e-5 of itself.</summary>
    private static double Beta(AdamSettings adam, double beta) => adam.SingleBetas ? (float)beta : beta;

    /// <summary>The losses of all steps.</summary>
    /// <param name="afterStep">Called with the number of updates done.</param>
    public static List<double> Run(Trainer trainer, TrainingCourse course, Action<int>? afterStep = null)
    {
        var losses = new List<double>();
        for (int step = 0; step < course.InputIds.Length; step++)
        {
            losses.Add(trainer.Step(Engine.ToInts(course.InputIds[step]), Engine.ToInts(course.Labels[step])).Loss);
            afterStep?.Invoke(step + 1);
        }

        return losses;
    }

    /// <summary>The engine's own schedule for a course: warm-up from 0 to the peak, then cosine.</summary>
    private static LearningRateSchedule CosineOf(double[] rates)
    {
        double peak = rates.Max();
        int warmup = Array.IndexOf(rates, peak);
        double last = rates[^1] / peak;

        // The schedule's last value stands one step before its end: solve for the minimum's share.
        double shape = 0.5 * (1 + Math.Cos(Math.PI * (rates.Length - 1 - warmup) / (rates.Length - warmup)));
        return new LearningRateSchedule(ScheduleKind.Cosine, peak, rates.Length, warmup, (last - shape) / (1 - shape), FromZero: true);
    }
}

/// <summary>Projections that a golden run saved.</summary>
internal sealed class SavedProjections(IReadOnlyDictionary<string, float[][]> projections) : IProjectionSource
{
    public void Fill(IDevice device, Parameter parameter, int redraw, Tensor projection) =>
        device.Upload(MemoryMarshal.AsBytes<float>(projections[parameter.Name][redraw]), projection);
}
