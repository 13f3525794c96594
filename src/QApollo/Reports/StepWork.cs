using QApollo.Devices;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>The operations of one training step, from a rehearsal: alike ones together, with their number.</summary>
public sealed class StepWork : IOperationObserver
{
    private readonly Dictionary<OperationWork, int> _counts = [];
    private readonly int _sequenceLength;

    private StepWork(int sequenceLength) => _sequenceLength = sequenceLength;

    /// <param name="layout">Before it is bound to a device's memory, or after: nothing is computed.</param>
    public static IReadOnlyDictionary<OperationWork, int> Of(TrainingLayout layout)
    {
        var work = new StepWork(layout.Options.Shape.SequenceLength);
        layout.Trace(work);
        return work._counts;
    }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        var work = OperationWork.Of(operation, accesses, _sequenceLength);
        _counts[work] = _counts.GetValueOrDefault(work) + 1;
    }
}
