using System.Numerics;
using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Collectives;

/// <summary>
/// Sums a gradient over the ranks, in place. Each rank receives its piece from all ranks, adds them up in the order of the ranks,
/// and sends the sum to all (reduce-scatter and all-gather: 2 (N - 1) / N of the gradient's bytes leave each rank, the least that
/// is possible). All ranks therefore get the same bytes, whatever carried them. Through host memory a chunk at a time: never a
/// second copy of the gradient.
/// </summary>
public sealed class GradientSum
{
    /// <summary>Elements that travel at a time.</summary>
    public const int ChunkElements = 1 << 20;

    private readonly ICommunicator _ranks;
    private readonly bool _narrows;
    private readonly float[] _values;
    private readonly float[] _received;
    private readonly ushort[] _narrow;
    private readonly ushort[] _narrowReceived;

    /// <param name="wire">Element type that matrices travel in: F32, or BF16 for half the bytes, which rounds what is sent and the sum.</param>
    /// <param name="matrices">Element type of the gradients of matrices; BF16 ones never travel in F32.</param>
    public GradientSum(ICommunicator ranks, DType wire, DType matrices)
    {
        _ranks = ranks;
        _narrows = wire == DType.BF16;
        bool hasNarrow = _narrows || matrices == DType.BF16;
        int elements = BufferElements(ranks.Size);
        (_values, _received) = (new float[elements], new float[elements]);
        (_narrow, _narrowReceived) = hasNarrow ? (new ushort[elements], new ushort[elements]) : ([], []);
    }

    /// <summary>Host memory of the buffers; 0 for one rank.</summary>
    public static long BufferBytes(int ranks, DType wire, DType matrices) =>
        ranks == 1 ? 0 : 2L * BufferElements(ranks) * (sizeof(float) + (wire == DType.BF16 || matrices == DType.BF16 ? sizeof(ushort) : 0));

    /// <summary>Begins the sum over all ranks, in place; where it goes through host memory, the host waits for it here.</summary>
    /// <param name="gradient">F32 or BF16, the same shape on every rank; not to be touched until <see cref="End"/>.</param>
    /// <param name="isVector">Norms and biases: small, and always exchanged as they are.</param>
    public void Begin(IDevice device, Tensor gradient, bool isVector)
    {
        if (!_ranks.TryBeginSum(device, gradient))
        {
            SumThroughHost(device, gradient, isVector);
        }
    }

    /// <summary>Later operations see the sum that was begun first.</summary>
    public void End(IDevice device) => _ranks.EndSum(device);

    private void SumThroughHost(IDevice device, Tensor gradient, bool isVector)
    {

        for (long first = 0; first < gradient.Elements; first += ChunkElements)
        {
            Tensor chunk = gradient.ElementRange(first, (int)Math.Min(ChunkElements, gradient.Elements - first));
            if (chunk.DType == DType.BF16)
            {
                device.Download(chunk, MemoryMarshal.AsBytes(_narrow.AsSpan(0, chunk.Columns)));
                SumNarrow(chunk.Columns);
                device.Upload(MemoryMarshal.AsBytes(_narrow.AsSpan(0, chunk.Columns)), chunk);
                continue;
            }

            Span<float> values = _values.AsSpan(0, chunk.Columns);
            device.Download(chunk, MemoryMarshal.AsBytes(values));
            if (_narrows && !isVector)
            {
                Narrow(values, _narrow);
                SumNarrow(chunk.Columns);
                Widen(_narrow.AsSpan(0, chunk.Columns), values);
            }
            else
            {
                SumWide(chunk.Columns);
            }

            device.Upload(MemoryMarshal.AsBytes(values), chunk);
        }
    }

    private void SumWide(int count)
    {
        int piece = PieceOf(count, _ranks.Size);
        int whole = piece * _ranks.Size;
        _values.AsSpan(count, whole - count).Clear();
        _ranks.AllToAll(MemoryMarshal.AsBytes(_values.AsSpan(0, whole)), MemoryMarshal.AsBytes(_received.AsSpan(0, whole)));
        Span<float> sum = _received.AsSpan(0, piece);
        for (int rank = 1; rank < _ranks.Size; rank++)
        {
            Add(sum, _received.AsSpan(rank * piece, piece));
        }

        _ranks.AllGather(MemoryMarshal.AsBytes(sum), MemoryMarshal.AsBytes(_values.AsSpan(0, whole)));
    }

    /// <summary>BF16 on the wire, added up in F32.</summary>
    private void SumNarrow(int count)
    {
        int piece = PieceOf(count, _ranks.Size);
        int whole = piece * _ranks.Size;
        _narrow.AsSpan(count, whole - count).Clear();
        _ranks.AllToAll(MemoryMarshal.AsBytes(_narrow.AsSpan(0, whole)), MemoryMarshal.AsBytes(_narrowReceived.AsSpan(0, whole)));
        Span<float> sum = _received.AsSpan(0, piece);
        Span<float> next = _received.AsSpan(piece, piece);
        Widen(_narrowReceived.AsSpan(0, piece), sum);
        for (int rank = 1; rank < _ranks.Size; rank++)
        {
            Widen(_narrowReceived.AsSpan(rank * piece, piece), next);
            Add(sum, next);
        }

        Narrow(sum, _narrowReceived);
        _ranks.AllGather(MemoryMarshal.AsBytes(_narrowReceived.AsSpan(0, piece)), MemoryMarshal.AsBytes(_narrow.AsSpan(0, whole)));
    }

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

    private static void Narrow(ReadOnlySpan<float> values, Span<ushort> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            destination[i] = BFloat.FromSingle(values[i]);
        }
    }

    private static void Widen(ReadOnlySpan<ushort> values, Span<float> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            destination[i] = BFloat.ToSingle(values[i]);
        }
    }

    private static int PieceOf(int count, int ranks) => (count + ranks - 1) / ranks;

    private static int BufferElements(int ranks) => PieceOf(ChunkElements, ranks) * ranks;
}
