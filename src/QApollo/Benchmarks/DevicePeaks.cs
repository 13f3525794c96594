using QApollo.Devices;
using QApollo.Memory;
using QApollo.Reports;

namespace QApollo.Benchmarks;

/// <summary>
/// The two rates that operations are held against, each the best of many short repetitions: a disturbed one does not
/// count. Measure again and again while a benchmark runs; one moment may be slow as a whole.
/// </summary>
public sealed class DevicePeaks(IDevice device, IOperationClock clock)
{
    /// <summary>More than the largest caches hold.</summary>
    private const int CopyElements = 64 << 20;

    private const int CopyRepeats = 5;
    private const int Bursts = 500;

    private readonly List<double> _matrixFlops = [];

    /// <summary>Best FLOP/s so far: of multiply-adds in registers where the device can run them, of large products elsewhere.</summary>
    public double MatrixFlops => _matrixFlops.Max();

    /// <summary>
    /// FLOP/s of the median repetition: what a machine whose cores others use too gives most of the time, and all that a
    /// median of an operation can reach.
    /// </summary>
    public double MedianMatrixFlops => _matrixFlops.Order().ElementAt(_matrixFlops.Count / 2);

    /// <summary>Best bytes per second so far, read and written, of a copy within the device's memory.</summary>
    public double CopyBytesPerSecond { get; private set; }

    /// <summary>Takes a tenth of a second or two, and no memory, on a device with an <see cref="IArithmeticPeak"/>.</summary>
    public void MeasureMatrix()
    {
        if (device is not IArithmeticPeak arithmetic)
        {
            _matrixFlops.Add(MatmulProbe.Measure(device));
            return;
        }

        for (int burst = 0; burst < Bursts; burst++)
        {
            int start = clock.Mark();
            double flops = arithmetic.RunMultiplyAdds();
            _matrixFlops.Add(flops / clock.Seconds(start, clock.Mark()));
        }

        clock.ClearMarks();
    }

    /// <summary>Takes device memory for two large buffers and gives it back.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public void MeasureCopy()
    {
        var table = new TensorTable();
        PlannedTensor source = table.Persistent("source", DType.F32, 1, CopyElements, TensorCategory.Activations);
        PlannedTensor destination = table.Persistent("destination", DType.F32, 1, CopyElements, TensorCategory.Activations);
        using var arena = new Arena(device, MemoryPlan.Make(table, device.Profile, rehearsal => rehearsal.Copy(source, destination)));
        device.Fill(source, 1f);

        // The first copy brings in the destination's pages.
        device.Copy(source, destination);
        device.Synchronize();
        for (int repeat = 0; repeat < CopyRepeats; repeat++)
        {
            int start = clock.Mark();
            device.Copy(source, destination);
            int end = clock.Mark();
            device.Synchronize();
            CopyBytesPerSecond = Math.Max(CopyBytesPerSecond, (source.Bytes + destination.Bytes) / clock.Seconds(start, end));
        }

        clock.ClearMarks();
    }
}
