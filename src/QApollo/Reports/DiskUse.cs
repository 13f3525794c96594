using QApollo.Devices;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>What layers that wait on disk take there.</summary>
/// <param name="FileBytes">Of the file, reserved before the first step.</param>
/// <param name="BytesRead">In one update.</param>
/// <param name="BytesWritten">In one update.</param>
public sealed record DiskUse(long FileBytes, long BytesRead, long BytesWritten)
{
    /// <summary>Bytes per second that the figures for people are for: a mid-range NVMe disk's, not a measurement.</summary>
    public const double NominalBytesPerSecond = 3e9;

    /// <summary>At the nominal speed. An update takes this where its computation is shorter.</summary>
    public double Seconds => (BytesRead + BytesWritten) / NominalBytesPerSecond;

    /// <summary>Null where no layer waits on disk.</summary>
    public static DiskUse? Of(TrainingLayout layout)
    {
        if (layout.Options.Memory.Layers.Space != MemorySpace.Disk)
        {
            return null;
        }

        // Up, each layer once; down, those that have left the slots since; and all go back.
        long[] layers = [.. layout.Weights.Layers.Select(LinkUse.BytesOf)];
        int left = Math.Max(0, layers.Length - layout.Options.Memory.Layers.Slots);
        long all = layers.Sum();
        return new DiskUse(layout.Plan.DiskBytes, all + layers.Take(left).Sum(), all);
    }
}
