using System.Diagnostics;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Reports;
using QApollo.Training;

namespace QApollo.Benchmarks;

/// <summary>
/// Times every operation that a training step makes, in real steps on random tokens: operations, shapes and data are those of
/// the step itself, so nothing is listed here.
/// </summary>
/// <param name="device">What to measure.</param>
/// <param name="deviceText">The device in words.</param>
/// <param name="clock">Times the operations; null for the device's own or the host's.</param>
public sealed class StepBenchmark(IDevice device, string deviceText, IOperationClock? clock = null)
{
    /// <summary>The runtime compiles code anew after its first calls; short steps need several before they run at full speed.</summary>
    private const int WarmUpSteps = 10;

    private const double MaxWarmUpSeconds = 10;
    private const int EmptyIntervals = 101;

    private readonly IOperationClock _clock = clock ?? HostClock.Of(device);

    /// <summary>Processor time was counted instead of elapsed time.</summary>
    public bool IsProcessorTime { get; init; }

    /// <summary>The same device with one thread, to tell how a step scales; null where that has no meaning.</summary>
    public IDevice? OneThread { get; init; }

    /// <summary>Told what is being measured.</summary>
    public IProgress<StageProgress>? Progress { get; init; }

    /// <summary>Threads of the device.</summary>
    public int Threads { get; init; } = 1;

    /// <param name="steps">Steps whose operations are timed, at least 1.</param>
    public BenchmarkReport Run(string model, TrainingOptions options, int steps)
    {
        var peaks = new DevicePeaks(device, _clock);
        Progress?.Report(new StageProgress("measuring the device's peak and bandwidth", 0, 0));
        peaks.MeasureMatrix();
        peaks.MeasureCopy();
        double timing = TimingSeconds();
        IReadOnlyList<OperationSamples> samples = TimeOperations(options, steps, peaks);
        Progress?.Report(new StageProgress("measuring peak and bandwidth again", 0, 0));
        peaks.MeasureMatrix();
        peaks.MeasureCopy();
        IReadOnlyList<double> speeds = StepSpeed.Measure(options, OneThread is null ? [device] : [OneThread, device], steps, Progress);
        peaks.MeasureMatrix();
        return new BenchmarkReport
        {
            Model = model,
            Device = deviceText,
            Card = Cards.TryFindByDeviceName(deviceText),
            Shape = options.Shape,
            Steps = steps,
            IsProcessorTime = IsProcessorTime,
            PeakSource = device is IArithmeticPeak ? "multiply-adds in registers" : "large products",
            MatrixPeak = peaks.MatrixFlops,
            MedianMatrixPeak = peaks.MedianMatrixFlops,
            CopyBandwidth = peaks.CopyBytesPerSecond,
            TimingSeconds = timing,
            Rows = RowsOf(samples, steps),
            Speeds = [.. speeds.Select((speed, i) => new ThreadSpeed(i < speeds.Count - 1 ? 1 : Threads, speed))],
        };
    }

    private static IReadOnlyList<BenchmarkRow> RowsOf(IReadOnlyList<OperationSamples> samples, int steps)
    {
        double PerStep(OperationSamples sample) => Median.Of(sample.Seconds) * sample.Seconds.Count / steps;
        double total = samples.Sum(PerStep);
        return
        [
            .. samples
                .Select(sample => new BenchmarkRow(
                    sample.Work, sample.Seconds.Count / (double)steps, Median.Of(sample.Seconds), PerStep(sample), PerStep(sample) / total))
                .OrderByDescending(row => row.SecondsPerStep),
        ];
    }

    private IReadOnlyList<OperationSamples> TimeOperations(TrainingOptions options, int steps, DevicePeaks peaks)
    {
        (int[] tokens, int[] labels) = RandomTokens.Of(options);
        var observer = new ObserverSwitch();
        using var traced = new TracingDevice(device.Profile, observer, device);
        using var trainer = new Trainer(options, traced);
        long start = Stopwatch.GetTimestamp();
        for (int step = 0; step == 0 || (step < WarmUpSteps && Stopwatch.GetElapsedTime(start).TotalSeconds < MaxWarmUpSeconds); step++)
        {
            Progress?.Report(new StageProgress("warming up", step, WarmUpSteps));
            trainer.Step(tokens, labels);
        }

        var timer = new OperationTimer(device, _clock, options.Shape.SequenceLength);
        for (int step = 0; step < steps; step++)
        {
            Progress?.Report(new StageProgress("timing operations", step, steps));
            observer.Current = timer;
            trainer.Step(tokens, labels);
            timer.EndStep();
            observer.Current = null;
            if (device is IArithmeticPeak)
            {
                peaks.MeasureMatrix();
            }
        }

        return timer.Samples;
    }

    private double TimingSeconds()
    {
        for (int i = 0; i < EmptyIntervals; i++)
        {
            _clock.Mark();
        }

        device.Synchronize();
        double median = Median.Of([.. Enumerable.Range(1, EmptyIntervals - 1).Select(i => _clock.Seconds(i - 1, i))]);
        _clock.ClearMarks();
        return median;
    }
}
