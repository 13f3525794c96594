using System.Runtime.InteropServices;
using QApollo.Collectives;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Quantization;
using QApollo.Tests.Training;
using QApollo.TestSupport.Collectives;
using Xunit;

namespace QApollo.Tests.Collectives;

public class GradientSumTests
{
    private const int Odd = 1003;

    [Theory]
    [InlineData(2, Odd)]
    [InlineData(3, Odd)]
    [InlineData(4, 1)]
    [InlineData(4, ExchangeBuffers.ChunkElements + 5)]
    public void Every_rank_gets_the_sum_in_the_order_of_the_ranks(int size, int elements)
    {
        float[][] values = [.. Enumerable.Range(0, size).Select(rank => Values(rank, elements))];
        float[][] sums = ThreadRanks.Run(size, ranks => Sum(ranks, values[ranks.Rank], DType.F32, DType.F32, isVector: false));
        float[] expected = [.. values[0]];
        for (int rank = 1; rank < size; rank++)
        {
            for (int i = 0; i < elements; i++)
            {
                expected[i] += values[rank][i];
            }
        }

        Assert.All(sums, sum => Assert.Equal(expected, sum));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void On_a_narrow_wire_what_is_sent_and_the_sum_are_rounded_once(DType tensor)
    {
        const int Size = 3;
        float[][] values = [.. Enumerable.Range(0, Size).Select(rank => Values(rank, Odd))];
        float[][] sums = ThreadRanks.Run(Size, ranks => Sum(ranks, values[ranks.Rank], tensor, DType.BF16, isVector: false));
        float[] expected = [.. Enumerable.Range(0, Odd).Select(i => Rounded(Rounded(values[0][i]) + Rounded(values[1][i]) + Rounded(values[2][i])))];
        Assert.All(sums, sum => Assert.Equal(expected, sum));
    }

    /// <summary>More gradients than one are begun before the first is awaited; each has its own sum, whichever thread adds up.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sums_that_wait_end_in_the_order_of_their_beginning(bool servesAnyThread)
    {
        const int Depth = 3;
        const int Gradients = 20;
        int[][] threads = ThreadRanks.Run(2, ranks =>
        {
            using var device = new CpuDevice(threads: 1);
            var observed = new ObservedRanks(ranks) { ServesAnyThread = servesAnyThread };
            using var sums = new GradientSum(observed, device, Buffers(device, ranks.Size), DType.F32, Depth);
            Tensor[] tensors = [.. Enumerable.Range(0, Gradients).Select(_ => new Tensor(device.Allocate(MemorySpace.Device, sizeof(float) * Odd), DType.F32, 1, Odd))];
            for (int i = 0; i < Gradients + Depth; i++)
            {
                if (i < Gradients)
                {
                    device.Fill(tensors[i], i + (100 * ranks.Rank));
                    sums.Begin(device, tensors[i], isVector: false);
                }

                if (i >= Depth)
                {
                    sums.End(device);
                    Assert.All(Engine.Floats(device, tensors[i - Depth]), value => Assert.Equal((2 * (i - Depth)) + 100, value));
                }
            }

            return new[] { Environment.CurrentManagedThreadId, observed.Thread };
        });
        Assert.All(threads, pair => Assert.Equal(servesAnyThread, pair[0] != pair[1]));
    }

    [Fact]
    public void What_fails_beside_the_computation_fails_where_it_is_awaited() => Assert.All(
        ThreadRanks.Failures(2, ranks =>
        {
            using var device = new CpuDevice(threads: 1);
            var observed = new ObservedRanks(ranks) { BeforeExchange = () => throw new RunFailedException("the wire is cut") };
            using var sums = new GradientSum(observed, device, Buffers(device, ranks.Size), DType.F32, depth: 2);
            var tensor = new Tensor(device.Allocate(MemorySpace.Device, sizeof(float)), DType.F32, 1, 1);
            sums.Begin(device, tensor, isVector: false);
            sums.Begin(device, tensor, isVector: false);
            sums.End(device);
        }),
        failure => Assert.Equal("the wire is cut", failure!.Message));

    [Fact]
    public void Vectors_travel_as_they_are()
    {
        float[][] sums = ThreadRanks.Run(2, ranks => Sum(ranks, Values(ranks.Rank, Odd), DType.F32, DType.BF16, isVector: true));
        float[] other = Values(1, Odd);
        Assert.Equal(Values(0, Odd).Select((value, i) => value + other[i]), sums[0]);
        Assert.Equal(sums[0], sums[1]);
    }

    [Fact]
    public void What_is_not_finite_on_one_rank_is_not_finite_on_all()
    {
        float[][] sums = ThreadRanks.Run(2, ranks => Sum(ranks, [1, ranks.Rank == 1 ? float.NaN : 1], DType.F32, DType.BF16, isVector: false));
        Assert.All(sums, sum => Assert.Equal([2, float.NaN], sum));
    }

    [Fact]
    public void Texts_numbers_and_flags_reach_all_ranks()
    {
        var all = ThreadRanks.Run(3, ranks =>
        {
            Span<double> sums = [ranks.Rank, 0.5];
            ranks.SumInOrder(sums);
            return (Texts: string.Join('|', ranks.GatherTexts(new string('ä', ranks.Rank))), Max: ranks.Max(ranks.Rank - 1), Any: ranks.Any(ranks.Rank == 2), None: ranks.Any(false),
                First: ranks.Broadcast($"rank {ranks.Rank}"), Sum: sums[0], Half: sums[1]);
        });
        Assert.All(all, one => Assert.Equal(("|ä|ää", 1, true, false, "rank 0", 3.0, 1.5), one));
    }

    private static float[] Sum(ICommunicator ranks, float[] values, DType dtype, DType wire, bool isVector)
    {
        using var device = new CpuDevice(threads: 1);
        nint address = device.Allocate(MemorySpace.Device, values.Length * sizeof(float));
        var tensor = new Tensor(address, dtype, 1, values.Length);
        device.Upload(
            dtype == DType.F32 ? MemoryMarshal.AsBytes(values.AsSpan()) : MemoryMarshal.AsBytes<ushort>(values.Select(BFloat.FromSingle).ToArray()), tensor);
        using var gradients = new GradientSum(ranks, device, Buffers(device, ranks.Size), wire, depth: 0);
        gradients.Begin(device, tensor, isVector);
        gradients.End(device);
        return Engine.Floats(device, tensor);
    }

    private static ExchangeBuffers Buffers(CpuDevice device, int ranks)
    {
        int elements = ExchangeBuffers.ElementsFor(ranks);
        Tensor Allocate(DType dtype) => new(device.Allocate(MemorySpace.PinnedHost, (long)elements * dtype.Size()), dtype, 1, elements);
        return new ExchangeBuffers(Allocate(DType.F32), Allocate(DType.F32), Allocate(DType.BF16), Allocate(DType.BF16));
    }

    private static float[] Values(int rank, int elements)
    {
        var random = new Random(rank);
        return [.. Enumerable.Range(0, elements).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-3, 3))))];
    }

    private static float Rounded(float value) => BFloat.ToSingle(BFloat.FromSingle(value));
}
