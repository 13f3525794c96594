using QApollo.Devices;
using QApollo.Reports;

namespace QApollo.TestSupport.Costs;

/// <summary>Keeps the work of the operation that was seen last, on sequences of the cases' length.</summary>
public sealed class LastWork : IOperationObserver
{
    public OperationWork Work { get; private set; }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses) => Work = OperationWork.Of(operation, accesses, CostCases.SequenceLength);
}
