using System.Numerics;
using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Collectives;

/// <summary>
/// Sums gradients over the ranks, in place. Each rank receives its piece from all ranks, adds them up in the order of the ranks,
/// and sends the sum to all (reduce-scatter and all-gather: 2 (N - 1) / N of the gradient's bytes leave each rank, the least that
/// is possible). All ranks therefore get the same bytes, whatever carried them. Through host memory a chunk at a time, on a thread
/// beside the computation where device and ranks allow it.
/// </summary>
public sealed class GradientSum : IDisposable
{
    private readonly ICommunicator _ranks;
    private readonly ExchangeBuffers _buffers;
    private readonly bool _narrows;
    private readonly ICopyLane _copies;
    private readonly SumQueue? _queue;

    /// <param name="device">Whose gradients are summed; stays the caller's.</param>
    /// <param name="buffers">Of <see cref="ExchangeBuffers.ElementsFor"/> elements each; stay the caller's.</param>
    /// <param name="wire">Element type that matrices travel in: F32, or BF16 for half the bytes, which rounds what is sent and the sum.</param>
    /// <param name="depth">Sums that may be begun and not ended beside the one that begins; 0 to wait for each as it begins.</param>
    public GradientSum(ICommunicator ranks, IDevice device, in ExchangeBuffers buffers, DType wire, int depth)
    {
        (_ranks, _buffers, _narrows) = (ranks, buffers, wire == DType.BF16);
        ICopyLane? lane = depth > 0 && ranks.ServesAnyThread ? device.OpenCopyLane(depth + 1) : null;
        _copies = lane ?? new InOrderCopies(device);
        _queue = lane is null ? null : new SumQueue(depth + 1, SumThroughHost);
    }

    /// <summary>Begins the sum over all ranks, in place.</summary>
    /// <param name="gradient">F32 or BF16, the same shape on every rank; not to be touched until <see cref="End"/>.</param>
    /// <param name="isVector">Norms and biases: small, and always exchanged as they are.</param>
    public void Begin(IDevice device, Tensor gradient, bool isVector)
    {
        if (_ranks.TryBeginSum(device, gradient))
        {
            return;
        }

        var sum = new PendingSum(gradient, isVector, _copies.Mark());
        if (_queue is null)
        {
            SumThroughHost(sum);
        }
        else
        {
            _queue.Begin(sum);
        }
    }

    /// <summary>Later operations see the sum that was begun first. What keeps a rank from it is thrown here.</summary>
    public void End(IDevice device)
    {
        _ranks.EndSum(device);
        _queue?.AwaitFirst();
    }

    public void Dispose()
    {
        _queue?.Dispose();
        _copies.Dispose();
    }

    private void SumThroughHost(PendingSum sum)
    {
        for (long first = 0; first < sum.Gradient.Elements; first += ExchangeBuffers.ChunkElements)
        {
            Tensor chunk = sum.Gradient.ElementRange(first, (int)Math.Min(ExchangeBuffers.ChunkElements, sum.Gradient.Elements - first));
            if (chunk.DType == DType.BF16)
            {
                Span<byte> narrow = MemoryMarshal.AsBytes(Narrow(chunk.Columns));
                _copies.Download(sum.Mark, chunk, narrow);
                SumNarrow(chunk.Columns);
                _copies.Upload(narrow, chunk);
                continue;
            }

            Span<float> values = Values(chunk.Columns);
            _copies.Download(sum.Mark, chunk, MemoryMarshal.AsBytes(values));
            if (_narrows && !sum.IsVector)
            {
                ToNarrow(values, Narrow(chunk.Columns));
                SumNarrow(chunk.Columns);
                ToWide(Narrow(chunk.Columns), values);
            }
            else
            {
                SumWide(chunk.Columns);
            }

            _copies.Upload(MemoryMarshal.AsBytes(values), chunk);
        }
    }

    private void SumWide(int count)
    {
        int piece = ExchangeBuffers.PieceOf(count, _ranks.Size);
        int whole = piece * _ranks.Size;
        Span<float> values = Values(whole);
        Span<float> received = Received(whole);
        values[count..].Clear();
        _ranks.AllToAll(MemoryMarshal.AsBytes(values), MemoryMarshal.AsBytes(received));
        Span<float> sum = received[..piece];
        for (int rank = 1; rank < _ranks.Size; rank++)
        {
            Add(sum, received.Slice(rank * piece, piece));
        }

        _ranks.AllGather(MemoryMarshal.AsBytes(sum), MemoryMarshal.AsBytes(values));
    }

    /// <summary>BF16 on the wire, added up in F32.</summary>
    private void SumNarrow(int count)
    {
        int piece = ExchangeBuffers.PieceOf(count, _ranks.Size);
        int whole = piece * _ranks.Size;
        Span<ushort> values = Narrow(whole);
        Span<ushort> received = HostSpan.Of<ushort>(_buffers.NarrowReceived)[..whole];
        values[count..].Clear();
        _ranks.AllToAll(MemoryMarshal.AsBytes(values), MemoryMarshal.AsBytes(received));
        Span<float> sum = Received(2 * piece)[..piece];
        Span<float> next = Received(2 * piece)[piece..];
        ToWide(received[..piece], sum);
        for (int rank = 1; rank < _ranks.Size; rank++)
        {
            ToWide(received.Slice(rank * piece, piece), next);
            Add(sum, next);
        }

        ToNarrow(sum, received);
        _ranks.AllGather(MemoryMarshal.AsBytes(received[..piece]), MemoryMarshal.AsBytes(values));
    }

    private Span<float> Values(int count) => HostSpan.Of<float>(_buffers.Values)[..count];

    private Span<float> Received(int count) => HostSpan.Of<float>(_buffers.Received)[..count];

    private Span<ushort> Narrow(int count) => HostSpan.Of<ushort>(_buffers.Narrow)[..count];

    private static void Add(Span<float> sum, ReadOnlySpan<float> values)
    {
        int i = 0;
        for (; i <= sum.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (new Vector<float>(sum[i..]) + new Vector<float>(values[i..])).CopyTo(sum[i..]);
        }

        for (; i < sum.Length; i++)
        {
            sum[i] += values[i];
        }
    }

    private static void ToNarrow(ReadOnlySpan<float> values, Span<ushort> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            destination[i] = BFloat.FromSingle(values[i]);
        }
    }

    private static void ToWide(ReadOnlySpan<ushort> values, Span<float> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            destination[i] = BFloat.ToSingle(values[i]);
        }
    }
}
