using QApollo.Devices;

namespace QApollo.Reports;

/// <summary>All operations of one kind in the steps that were timed.</summary>
/// <param name="Flops">Of matrix products; 0 for other operations.</param>
public sealed record OperationTime(string Operation, int Count, double Seconds, double Flops);

/// <summary>Operations of equal work: how long each of them took.</summary>
public sealed record OperationSamples(OperationWork Work, IReadOnlyList<double> Seconds);

/// <summary>Times each operation between two marks of the device's clock; what the host does between operations is nobody's time.</summary>
/// <param name="sequenceLength">Tokens of each sequence of the steps.</param>
public sealed class OperationTimer(IDevice device, IOperationClock clock, int sequenceLength) : IOperationObserver
{
    private readonly Dictionary<OperationWork, List<double>> _samples = [];
    private readonly List<(OperationWork Work, int From, int To)> _marked = [];
    private (OperationWork Work, int From)? _running;

    /// <summary>By work, in the order of first appearance.</summary>
    public IReadOnlyList<OperationSamples> Samples => [.. _samples.Select(pair => new OperationSamples(pair.Key, pair.Value))];

    /// <summary>By operation, the longest first.</summary>
    public IReadOnlyList<OperationTime> Times =>
    [
        .. _samples
            .GroupBy(pair => pair.Key.Operation)
            .Select(group => new OperationTime(
                group.Key, group.Sum(pair => pair.Value.Count), group.Sum(pair => pair.Value.Sum()),
                group.Sum(pair => pair.Key.Kind == WorkKind.Product ? pair.Key.Flops * pair.Value.Count : 0)))
            .OrderByDescending(time => time.Seconds),
    ];

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        EndOperation();
        var work = OperationWork.Of(operation, accesses, sequenceLength);
        _running = (work, clock.Mark());
    }

    /// <summary>Waits for the step's last operation and takes the times of all.</summary>
    public void EndStep()
    {
        EndOperation();
        device.Synchronize();
        foreach ((OperationWork work, int from, int to) in _marked)
        {
            if (!_samples.TryGetValue(work, out List<double>? seconds))
            {
                _samples.Add(work, seconds = []);
            }

            seconds.Add(clock.Seconds(from, to));
        }

        _marked.Clear();
        clock.ClearMarks();
    }

    private void EndOperation()
    {
        if (_running is { } running)
        {
            _marked.Add((running.Work, running.From, clock.Mark()));
            _running = null;
        }
    }
}
