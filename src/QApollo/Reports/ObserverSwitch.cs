using QApollo.Devices;

namespace QApollo.Reports;

/// <summary>An observer that can be replaced while a run goes on.</summary>
internal sealed class ObserverSwitch : IOperationObserver
{
    /// <summary>Null for nobody.</summary>
    public IOperationObserver? Current { get; set; }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses) => Current?.OnOperation(operation, accesses);
}
