using System.Globalization;
using System.Runtime.InteropServices;
using QApollo.Collectives;
using QApollo.Cuda;
using QApollo.Devices;

namespace QApollo.Parallel.Nccl;

/// <summary>
/// Sums gradients between NVIDIA cards, on a stream of its own; everything small goes the way of the ranks' host memory.
/// </summary>
public sealed unsafe class NcclCommunicator : ICommunicator
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(500);

    private readonly ICommunicator _hosts;
    private readonly NcclTable _nccl;
    private readonly ForeignStream _stream;
    private readonly Queue<int> _begun = new(32);
    private readonly Timer? _watch;
    private nint _communicator;
    private volatile int _gone = -1;

    private NcclCommunicator(ICommunicator hosts, NcclTable nccl, CudaDevice device, nint communicator)
    {
        (_hosts, _nccl, _communicator) = (hosts, nccl, communicator);
        _stream = device.OpenStream();
        int version;
        nccl.Check(nccl.GetVersion(&version), "ncclGetVersion");
        Description = string.Create(CultureInfo.InvariantCulture, $"{hosts.Description}, gradients by NCCL {version / 10000}.{version / 100 % 100}.{version % 100}");
        _watch = hosts is IRankWatch watch ? new Timer(_ => Look(watch), null, WatchInterval, WatchInterval) : null;
    }

    public int Rank => _hosts.Rank;

    public int Size => _hosts.Size;

    public string Description { get; }

    public bool ServesAnyThread => _hosts.ServesAnyThread;

    /// <summary>Joins the cards of all ranks. Every rank calls it.</summary>
    /// <param name="hosts">Stays the caller's.</param>
    /// <param name="library">The file of NCCL; null to search.</param>
    /// <returns>Null where a rank has no NCCL; what to install is <see cref="Advice"/>.</returns>
    /// <exception cref="RunFailedException">NCCL does not connect the cards; thrown on all ranks.</exception>
    public static NcclCommunicator? TryJoin(ICommunicator hosts, CudaDevice device, string? library = null)
    {
        NcclTable? nccl = NcclLibrary.Find(library);
        if (hosts.Any(nccl is null))
        {
            return null;
        }

        NcclUniqueId id = default;
        hosts.Together(() =>
        {
            if (hosts.Rank == 0)
            {
                NcclUniqueId made = default;
                nccl!.Check(nccl.GetUniqueId(&made), "ncclGetUniqueId");
                id = made;
            }

            return 0;
        });
        hosts.Broadcast(MemoryMarshal.AsBytes(new Span<NcclUniqueId>(ref id)), root: 0);
        return hosts.Together(() =>
        {
            // Its calls need the context of the device.
            device.Synchronize();
            nint communicator;
            nccl!.Check(nccl.CommInitRank(&communicator, hosts.Size, id, hosts.Rank), "ncclCommInitRank");
            return new NcclCommunicator(hosts, nccl, device, communicator);
        });
    }

    public static string Advice => NcclLibrary.Advice;

    /// <inheritdoc/>
    public bool TryBeginSum(IDevice device, Tensor tensor)
    {
        RequireAlive();
        int type = tensor.DType == DType.F32 ? NcclTable.Float32 : NcclTable.BFloat16;
        _stream.Begin();
        int result = _nccl.AllReduce(tensor.Address, tensor.Address, (nuint)tensor.Elements, type, NcclTable.Sum, _communicator, _stream.Handle);
        RequireAlive();
        _nccl.Check(result, "ncclAllReduce");
        _begun.Enqueue(_stream.Mark());
        return true;
    }

    /// <inheritdoc/>
    public void EndSum(IDevice device) => _stream.Await(_begun.Dequeue());

    public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination) => _hosts.AllToAll(source, destination);

    public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination) => _hosts.AllGather(source, destination);

    public void Broadcast(Span<byte> bytes, int root) => _hosts.Broadcast(bytes, root);

    public void Barrier() => _hosts.Barrier();

    public void Abort(int exitCode)
    {
        AbortCards();
        _hosts.Abort(exitCode);
    }

    public void Dispose()
    {
        using var ended = new ManualResetEvent(false);
        if (_watch is not null && _watch.Dispose(ended))
        {
            ended.WaitOne();
        }

        // Not ncclCommDestroy: that one waits for what a rank that is gone would have to do. What is done is done either way.
        AbortCards();
        _stream.Dispose();
    }

    /// <summary>Cards wait for a rank that is gone for ever, and the host for its card: only another thread can end that.</summary>
    private void Look(IRankWatch watch)
    {
        if (_gone < 0 && watch.FindGone() is { } rank)
        {
            _gone = rank;
            AbortCards();
        }
    }

    private void AbortCards()
    {
        if (Interlocked.Exchange(ref _communicator, 0) is var communicator && communicator != 0)
        {
            _nccl.CommAbort(communicator);
        }
    }

    private void RequireAlive()
    {
        if (_gone >= 0)
        {
            throw new RankGoneException(_gone);
        }
    }
}
