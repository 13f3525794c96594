using System.Diagnostics;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>
/// Measures a few real steps on random tokens. Memory, time per operation and speed are measured in separate passes,
/// so that none disturbs another.
/// </summary>
/// <param name="driverMemory">Free and total bytes as the device's driver counts; null where there is none.</param>
public sealed class Profiler(IDevice device, Func<(long Free, long Total)>? driverMemory = null)
{
    /// <summary>Told what is being measured.</summary>
    public IProgress<StageProgress>? Progress { get; init; }

    /// <param name="plan">The report of the run's plan.</param>
    /// <param name="steps">Steps to measure the speed over, at least 1.</param>
    public ProfileReport Run(TrainingOptions options, MemoryReport plan, int steps)
    {
        (int[] tokens, int[] labels) = RandomTokens.Of(options);
        Progress?.Report(new StageProgress("measuring the device's peak", 0, 0));
        double matmulPeak = MatmulProbe.Measure(device);
        Progress?.Report(new StageProgress("measuring memory and operations", 0, 0));
        (ArenaMeter meter, IReadOnlyList<OperationTime> operations) = Observe(options, tokens, labels);

        Progress?.Report(new StageProgress("beginning again, undisturbed", 0, 0));
        (long freeBefore, long total) = driverMemory?.Invoke() ?? default;
        using var trainer = new Trainer(options, device);
        trainer.Step(tokens, labels);
        (long freeAfter, _) = driverMemory?.Invoke() ?? default;

        // Once for the measuring code itself, which allocates when it first runs.
        _ = Time(trainer, tokens, labels, steps: 1);
        (double seconds, long managedBytes) = Time(trainer, tokens, labels, steps);
        using var process = Process.GetCurrentProcess();
        return new ProfileReport
        {
            Plan = plan,
            Device = Compare(trainer.Plan.DeviceUsage, meter.Measured(MemorySpace.Device)),
            PinnedHost = Compare(trainer.Plan.PinnedHostUsage, meter.Measured(MemorySpace.PinnedHost)),
            Arena = new PlannedAndMeasured("arena", "one allocation", trainer.Plan.DeviceArenaBytes, meter.DeviceHighWater),
            Driver = driverMemory is null ? null : new DriverMemory(total - freeBefore, freeBefore - freeAfter, total),
            Process = (process.WorkingSet64, process.PeakWorkingSet64),
            ManagedBytesPerStep = managedBytes,
            Steps = steps,
            TokensPerSecond = options.Shape.TokensPerStep / seconds,
            Operations = operations,
            Health = [.. Enumerable.Range(0, options.Model.NumHiddenLayers).Select(trainer.Health)],
            MatmulPeak = matmulPeak,
            FlopsPerToken = SpeedOfLight.FlopsPerToken(options.Model, options.Shape.SequenceLength),
        };
    }

    /// <summary>One run under the meter, then one more step under the timer.</summary>
    private (ArenaMeter Meter, IReadOnlyList<OperationTime> Operations) Observe(TrainingOptions options, int[] tokens, int[] labels)
    {
        var layout = new TrainingLayout(options, device.Profile);
        var meter = new ArenaMeter(layout.Plan);
        var observer = new ObserverSwitch { Current = meter };
        using var traced = new TracingDevice(device.Profile, observer, device);
        using var trainer = new Trainer(layout, traced);
        int perBatch = options.Shape.TokensPerMicroBatch;
        trainer.Step(tokens, labels);
        trainer.Evaluate(tokens.AsSpan(0, perBatch), labels.AsSpan(0, perBatch));

        var timer = new OperationTimer(device, HostClock.Of(device), options.Shape.SequenceLength);
        observer.Current = timer;
        trainer.Step(tokens, labels);
        timer.EndStep();
        return (meter, timer.Times);
    }

    /// <summary>
    /// Mean time of a step, and the median of what a step allocates: a step that allocates does so every time, while the
    /// runtime's own threads allocate now and then (the compiler, when it optimizes a method in the background).
    /// </summary>
    private (double SecondsPerStep, long ManagedBytesPerStep) Time(Trainer trainer, int[] tokens, int[] labels, int steps)
    {
        long[] allocated = new long[steps];
        double seconds = 0;
        for (int step = 0; step < steps; step++)
        {
            Progress?.Report(new StageProgress("timing steps", step, steps));
            long before = GC.GetTotalAllocatedBytes(precise: true);
            long start = Stopwatch.GetTimestamp();
            trainer.Step(tokens, labels);
            seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            allocated[step] = GC.GetTotalAllocatedBytes(precise: true) - before;
        }

        Array.Sort(allocated);
        return (seconds / steps, allocated[steps / 2]);
    }

    private static PlannedAndMeasured[] Compare(MemoryUsage planned, MemoryUsage measured) =>
    [
        .. TensorCategories.All
            .Select(category => new PlannedAndMeasured(
                category.JsonName(), MemoryReport.LabelOf(category), planned.AtPeak(category), measured.AtPeak(category)))
            .Where(category => category.Planned > 0 || category.Measured > 0),
    ];
}
