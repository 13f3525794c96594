using System.Diagnostics;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Reports;
using QApollo.Training;

namespace QApollo.Benchmarks;

/// <summary>Speed of whole steps, undisturbed by any measurement within them.</summary>
public static class StepSpeed
{
    /// <summary>
    /// Tokens per second on each device: the median of some steps. The devices take turns step by step, so that whatever
    /// else the machine does hits all of them alike.
    /// </summary>
    /// <param name="steps">Of each device, at least 1, after one to warm up.</param>
    public static IReadOnlyList<double> Measure(TrainingOptions options, IReadOnlyList<IDevice> devices, int steps, IProgress<StageProgress>? progress = null)
    {
        (int[] tokens, int[] labels) = RandomTokens.Of(options);
        var trainers = new List<Trainer>();
        try
        {
            trainers.AddRange(devices.Select(device => new Trainer(options, device)));
            List<double>[] seconds = [.. trainers.Select(_ => new List<double>())];
            for (int step = 0; step <= steps; step++)
            {
                for (int i = 0; i < trainers.Count; i++)
                {
                    progress?.Report(new StageProgress("timing whole steps", (step * trainers.Count) + i, (steps + 1) * trainers.Count));
                    long start = Stopwatch.GetTimestamp();
                    trainers[i].Step(tokens, labels);
                    seconds[i].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                }
            }

            return [.. seconds.Select(all => options.Shape.TokensPerStep / Median.Of([.. all.Skip(1)]))];
        }
        finally
        {
            trainers.ForEach(trainer => trainer.Dispose());
        }
    }
}
