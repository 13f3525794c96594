using QApollo.Devices;

namespace QApollo.Benchmarks;

/// <summary>Test tensors of a device, and the printing of measurements against what the processor can do.</summary>
internal sealed class Bench(IDevice device, string filter)
{
    private const long Bytes = 3L << 30;

    private readonly nint _base = device.Allocate(MemorySpace.Device, Bytes);
    private long _used;
    private double _peakFlops;
    private double _copyBytes;

    public IDevice Device => device;

    /// <summary>Forgets all tensors.</summary>
    public void Reset() => _used = 0;

    public Tensor Raw(DType dtype, int rows, int columns)
    {
        var tensor = new Tensor(_base + (nint)_used, dtype, rows, columns);
        _used += (tensor.Bytes + 255) / 256 * 256;
        return _used <= Bytes ? tensor : throw new InvalidOperationException("the benchmark's memory is full");
    }

    /// <summary>Normal values.</summary>
    public Tensor Normal(int rows, int columns, DType dtype = DType.F32, float deviation = 1)
    {
        Tensor tensor = Raw(dtype, rows, columns);
        device.FillNormal(tensor, new Quantization.RandomStream(1, Quantization.RandomPurpose.Initialization, 0, 0), 0, deviation);
        return tensor;
    }

    public WeightMatrix Weight(int rows, int columns, int groupSize)
    {
        int groups = WeightMatrix.GroupsPerRow(columns, groupSize);
        var weight = new WeightMatrix(Raw(DType.U8, rows, columns), Raw(DType.BF16, rows, groups), Raw(DType.U8, rows, groups), groupSize);
        device.Quantize(Normal(rows, columns, deviation: 0.02f), weight);
        return weight;
    }

    public void MeasurePeaks(int threads)
    {
        _peakFlops = Peak.FlopsPerSecond(threads);
        const int Elements = 16 << 20;
        Tensor source = Normal(1, Elements), destination = Raw(DType.F32, 1, Elements);
        _copyBytes = 2.0 * 4 * Elements / Stopwatches.Measure(() => device.Copy(source, destination)).Best;
        Console.WriteLine($"peak {_peakFlops / 1e9:F0} GFLOP/s, copy {_copyBytes / 1e9:F1} GB/s (read + write)");
        Reset();
    }

    public void Compute(string name, double flops, Action action)
    {
        if (Wanted(name))
        {
            (double median, double best) = Stopwatches.Measure(action);
            Console.WriteLine($"{name,-58} {median * 1e3,9:F3} ms, best {best * 1e3,9:F3} ms {flops / best / 1e9,7:F1} GFLOP/s {flops / best / _peakFlops,5:P0} of peak");
        }
    }

    /// <param name="bytes">Bytes read and written when every element is touched once.</param>
    public void Pass(string name, double bytes, Action action)
    {
        if (Wanted(name))
        {
            (double median, double best) = Stopwatches.Measure(action);
            Console.WriteLine($"{name,-58} {median * 1e3,9:F3} ms, best {best * 1e3,9:F3} ms {bytes / best / 1e9,7:F1} GB/s    {bytes / best / _copyBytes,5:P0} of copy");
        }
    }

    private bool Wanted(string name) => name.Contains(filter, StringComparison.OrdinalIgnoreCase);
}
