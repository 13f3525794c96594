using System.Diagnostics;
using QApollo.Devices;

namespace QApollo.Reports;

/// <summary>All operations of one kind in the steps that were timed.</summary>
/// <param name="Flops">Of matrix products; 0 for other operations.</param>
public sealed record OperationTime(string Operation, int Count, double Seconds, double Flops);

/// <summary>
/// Times operations by waiting for the device between them. That keeps them from overlapping, so the sum is more than
/// a step takes; the shares are what is of interest.
/// </summary>
public sealed class OperationTimer(IDevice device) : IOperationObserver
{
    private readonly Dictionary<string, (int Count, long Ticks, double Flops)> _times = [];
    private string? _running;
    private long _start;

    /// <summary>By operation, the longest first.</summary>
    public IReadOnlyList<OperationTime> Times =>
    [
        .. _times
            .Select(pair => new OperationTime(pair.Key, pair.Value.Count, pair.Value.Ticks / (double)Stopwatch.Frequency, pair.Value.Flops))
            .OrderByDescending(time => time.Seconds),
    ];

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        EndOperation();
        (int count, long ticks, double flops) = _times.GetValueOrDefault(operation);
        _times[operation] = (count + 1, ticks, flops + Flops(operation, accesses));
        _running = operation;
        _start = Stopwatch.GetTimestamp();
    }

    /// <summary>Waits for the last operation; what the host does next is nobody's time.</summary>
    public void EndOperation()
    {
        device.Synchronize();
        if (_running is not null)
        {
            (int count, long ticks, double flops) = _times[_running];
            _times[_running] = (count, ticks + Stopwatch.GetTimestamp() - _start, flops);
            _running = null;
        }
    }

    /// <summary>2 for each multiplication and addition of a product, from the shapes of what it reads.</summary>
    private static double Flops(string operation, ReadOnlySpan<Access> accesses)
    {
        if (!operation.StartsWith("linear", StringComparison.Ordinal))
        {
            return 0;
        }

        Tensor left = accesses[0].Tensor;
        Tensor right = accesses[1].Tensor;
        return 2.0 * left.Elements * (operation == "linear forward" ? right.Rows : right.Columns);
    }
}
