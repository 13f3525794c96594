using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Reports;

/// <summary>
/// Watches a step and tells how long a card would take for it at the very best: each operation at the peak of arithmetic
/// or memory, one after the other; each transfer at the peak of the link, one after the other beside the operations, from
/// the moment when all operations before it are done. Operations wait where the step awaits a transfer.
/// </summary>
/// <param name="sequenceLength">Tokens of each sequence of the step.</param>
public sealed class VirtualClock(Card card, int sequenceLength) : IOperationObserver
{
    private readonly Dictionary<(nint Source, nint Destination), double> _arrivals = [];
    private double _now;
    private double _linkFree;

    public Card Card => card;

    /// <summary>From the first operation to the last, waits included.</summary>
    public double StepSeconds => _now;

    /// <summary>Of <see cref="StepSeconds"/>, those in which nothing was computed because a transfer was awaited.</summary>
    public double WaitSeconds { get; private set; }

    /// <summary>How long the link was in use.</summary>
    public double LinkSeconds { get; private set; }

    /// <summary>Bytes of all transfers, both ways.</summary>
    public long LinkBytes { get; private set; }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses) => Advance(OperationWork.Of(operation, accesses, sequenceLength), accesses);

    /// <param name="work">Of the operation with those accesses.</param>
    internal void Advance(in OperationWork work, ReadOnlySpan<Access> accesses)
    {
        switch (work.Operation)
        {
            case "transfer":
                Transfer(accesses[0].Tensor, accesses[1].Tensor);
                break;
            case "await transfer":
                double arrival = _arrivals[(accesses[0].Tensor.Address, accesses[1].Tensor.Address)];
                WaitSeconds += Math.Max(0, arrival - _now);
                _now = Math.Max(_now, arrival);
                break;
            default:
                _now += Math.Max(work.Flops / card.BFloatFlops, work.Bytes / card.BytesPerSecond);
                break;
        }
    }

    private void Transfer(Tensor source, Tensor destination)
    {
        double seconds = source.Bytes / card.Link.BytesPerSecond;
        _linkFree = Math.Max(_linkFree, _now) + seconds;
        _arrivals[(source.Address, destination.Address)] = _linkFree;
        LinkSeconds += seconds;
        LinkBytes += source.Bytes;
    }
}
