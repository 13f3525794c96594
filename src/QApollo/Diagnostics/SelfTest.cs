using QApollo.Devices;

namespace QApollo.Diagnostics;

/// <summary>One check of a self-test.</summary>
/// <param name="Difference">From what is right, relative to it.</param>
/// <param name="Tolerance">The largest difference that rounding explains.</param>
/// <param name="Failure">What went wrong where the check did not come to its end; null otherwise.</param>
public sealed record SelfTestCheck(string Name, double Difference, double Tolerance, string? Failure = null)
{
    public bool Passed => Failure is null && Difference <= Tolerance;
}

/// <summary>
/// Whether a device computes what it should, within a second or so: some kernels and the first steps of a tiny model against
/// the CPU device.
/// </summary>
public static class SelfTest
{
    /// <summary>Of a kernel's result, as norm of the difference over norm: BF16 rounds to 2^-9 of a value, a few times over.</summary>
    private const double BFloatTolerance = 1.0 / 128;

    private const double SingleTolerance = 1e-4;

    /// <summary>Of each step's loss: the losses of a calm run stay within the rounding of BF16 activations, 2^-9.</summary>
    private const double LossTolerance = 1.0 / 512;

    private const double GradientNormTolerance = 0.02;

    /// <param name="reference">The CPU device; null to compare a CPU device's training with the known course of it.</param>
    /// <exception cref="RunFailedException">A loss or a gradient is not finite.</exception>
    public static IReadOnlyList<SelfTestCheck> Run(IDevice device, IDevice? reference)
    {
        var checks = new List<SelfTestCheck>();
        if (reference is not null)
        {
            checks.AddRange(KernelChecks.All.Select(check => Compare(check.Name, check.Run, device, reference)));
        }

        TrainingCourse actual = TrainingCourse.Run(device);
        TrainingCourse expected = reference is null ? TrainingCourse.Known : TrainingCourse.Run(reference);
        checks.Add(new SelfTestCheck("training, losses", Largest(actual.Losses, expected.Losses), LossTolerance));
        checks.Add(new SelfTestCheck("training, gradient norms", Largest(actual.GradientNorms, expected.GradientNorms), GradientNormTolerance));
        return checks;
    }

    private static SelfTestCheck Compare(string name, Func<ProbeMemory, float[]> run, IDevice device, IDevice reference)
    {
        float[] actual = Values(run, device), expected = Values(run, reference);
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return new SelfTestCheck(name, Math.Sqrt(difference / norm), device.Profile.ActivationDType == DType.F32 ? SingleTolerance : BFloatTolerance);
    }

    private static float[] Values(Func<ProbeMemory, float[]> run, IDevice device)
    {
        using var memory = new ProbeMemory(device);
        memory.UseWorkspace(KernelChecks.Workspace);
        return run(memory);
    }

    /// <summary>The largest difference of any step, relative to the expected value.</summary>
    private static double Largest(IReadOnlyList<double> actual, IReadOnlyList<double> expected) =>
        actual.Zip(expected, (a, e) => Math.Abs(a - e) / e).DefaultIfEmpty(double.NaN).Max();
}
