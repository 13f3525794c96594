using QApollo.Collectives;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Optimizers;
using QApollo.Parallel;
using QApollo.Parallel.Nccl;
using QApollo.Parallel.Tcp;
using QApollo.TestSupport;
using QApollo.TestSupport.Collectives;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Parallel;

/// <summary>NCCL between emulated cards: its names, layouts and streams. Ranks are threads.</summary>
public class NcclSimtTests
{
    [Theory]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.BF16, 1)]
    [InlineData(DType.F32, 2)]
    public void Two_cards_train_to_the_same_bytes_as_through_host_memory(DType gradients, int gradAccum)
    {
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, gradAccum, MemorySpace.Device, gradients).Options;
        byte[][] Of(GradientOverlap overlap, bool usesNccl) =>
            ThreadRanks.Run(2, ranks => Train(options with { Memory = options.Memory with { Overlap = overlap } }, ranks, usesNccl));
        byte[] expected = Of(GradientOverlap.Off, usesNccl: false)[0];
        Assert.All(Of(GradientOverlap.Matrix, usesNccl: true), bytes => Assert.Equal(expected, bytes));
        Assert.All(Of(GradientOverlap.Layer, usesNccl: true), bytes => Assert.Equal(expected, bytes));
        Assert.All(Of(GradientOverlap.Layer, usesNccl: false), bytes => Assert.Equal(expected, bytes));
    }

    [Fact]
    public void Three_cards_sum_in_device_memory()
    {
        float[][] sums = ThreadRanks.Run(3, ranks =>
        {
            using CudaDevice device = SimtLibrary.Default.Open();
            using NcclCommunicator cards = Join(ranks, device);
            nint address = device.Allocate(MemorySpace.Device, 5 * sizeof(float));
            var tensor = new Tensor(address, DType.F32, 1, 5);
            device.Fill(tensor, 1 << ranks.Rank);
            Assert.True(cards.TryBeginSum(device, tensor));
            cards.EndSum(device);
            var sum = new float[5];
            device.Download(tensor, System.Runtime.InteropServices.MemoryMarshal.AsBytes(sum.AsSpan()));
            return sum;
        });
        Assert.All(sums, sum => Assert.Equal([7, 7, 7, 7, 7], sum));
    }

    [Fact]
    public void Its_version_is_told()
    {
        string[] said = ThreadRanks.Run(2, ranks =>
        {
            using CudaDevice device = SimtLibrary.Default.Open();
            using NcclCommunicator cards = Join(ranks, device);
            return cards.Description;
        });
        Assert.All(said, text => Assert.Equal("threads, gradients by NCCL 2.27.3", text));
    }

    [Fact]
    public void Without_NCCL_on_a_rank_no_rank_uses_it() => Assert.All(
        ThreadRanks.Run(2, ranks =>
        {
            using CudaDevice device = SimtLibrary.Default.Open();
            return NcclCommunicator.TryJoin(ranks, device, ranks.Rank == 0 ? SimtLibrary.Default.Path : "/nowhere/libnccl.so.2") is null;
        }),
        Assert.True);

    /// <summary>A card waits for the others for ever: the end of a rank is seen beside it.</summary>
    [Fact]
    public async Task A_rank_that_is_gone_ends_the_sum_that_waits_for_it()
    {
        int port = FreePort.Find();
        Task<string>[] ranks = [.. Enumerable.Range(0, 2).Select(rank => Task.Factory.StartNew(
            () =>
            {
                using TcpCommunicator hosts = TcpCommunicator.Join(new Launch(Launcher.Tcp, rank, 2, "127.0.0.1", port));
                using CudaDevice device = SimtLibrary.Default.Open();
                using NcclCommunicator cards = Join(hosts, device);
                var tensor = new Tensor(device.Allocate(MemorySpace.Device, 256), DType.F32, 1, 64);
                cards.TryBeginSum(device, tensor);
                cards.EndSum(device);

                // Both are past the sum: what follows is the next one's.
                hosts.Barrier();
                if (rank == 1)
                {
                    hosts.Dispose();
                    return "left";
                }

                return Record.Exception(() => cards.TryBeginSum(device, tensor))?.Message ?? "nothing";
            },
            TaskCreationOptions.LongRunning))];
        string[] said = await Task.WhenAll(ranks).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.StartsWith("rank 1 is gone", said[0], StringComparison.Ordinal);
    }

    private static NcclCommunicator Join(ICommunicator ranks, CudaDevice device) =>
        Assert.IsType<NcclCommunicator>(NcclCommunicator.TryJoin(ranks, device, SimtLibrary.Default.Path));

    private static byte[] Train(TrainingOptions options, ICommunicator ranks, bool usesNccl)
    {
        using CudaDevice device = SimtLibrary.Default.Open();
        using NcclCommunicator? cards = usesNccl ? Join(ranks, device) : null;
        var layout = new TrainingLayout(options with { Ranks = ranks.Size }, device.Profile);
        using var trainer = new Trainer(layout, device, ranks: cards ?? ranks);
        for (int step = 0; step < 4; step++)
        {
            (int[] tokens, int[] labels) = ParityCourse.Batch(options, (2 * step) + ranks.Rank);
            trainer.Step(tokens, labels);
        }

        return [.. trainer.Plan.Table.Tensors.Where(IsState).SelectMany(tensor =>
        {
            var bytes = new byte[tensor.Bytes];
            device.Download(tensor, bytes);
            return bytes;
        })];
    }

    private static bool IsState(PlannedTensor tensor) =>
        tensor.Category is TensorCategory.Codes or TensorCategory.Scales or TensorCategory.EmbeddingAndHead or TensorCategory.Norms or TensorCategory.Optimizer
        && tensor.IsPersistent;
}
