using System.Runtime.InteropServices;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.TestSupport.Collectives;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Parallel;

/// <summary>Copies by another thread, on a stream of their own, as the exchange of gradients through host memory makes them.</summary>
public class CopyLaneSimtTests
{
    private const int Marks = 3;

    [Fact]
    public void Another_thread_copies_what_was_marked_while_the_computation_goes_on()
    {
        using CudaDevice device = SimtLibrary.Default.Open();
        using ICopyLane lane = device.OpenCopyLane(Marks);
        Tensor[] tensors = [.. Enumerable.Range(0, 8).Select(_ => new Tensor(device.Allocate(MemorySpace.Device, 5 * sizeof(float)), DType.F32, 1, 5))];
        var staging = new Tensor(device.Allocate(MemorySpace.PinnedHost, 5 * sizeof(float)), DType.F32, 1, 5);
        for (int i = 0; i < tensors.Length; i++)
        {
            Tensor tensor = tensors[i];
            device.Fill(tensor, i);
            int mark = lane.Mark();
            var thread = new Thread(() =>
            {
                Span<byte> bytes = HostSpan.Of<byte>(staging);
                lane.Download(mark, tensor, bytes);
                foreach (ref float value in MemoryMarshal.Cast<byte, float>(bytes))
                {
                    value += 100;
                }

                lane.Upload(bytes, tensor);
            });
            thread.Start();
            device.Fill(tensors[(i + 1) % tensors.Length], -1);
            thread.Join();
            device.Copy(tensor, tensors[(i + 2) % tensors.Length]);
            var seen = new float[5];
            device.Download(tensors[(i + 2) % tensors.Length], MemoryMarshal.AsBytes(seen.AsSpan()));
            Assert.All(seen, value => Assert.Equal(i + 100, value));
        }
    }

    /// <summary>
    /// The exchange of the last layer's first gradient is held up until the host launches the next layer's: where it waited for the exchange
    /// before, that would never come.
    /// </summary>
    [Fact]
    public void The_exchange_runs_beside_the_backward_pass_of_the_next_layer()
    {
        const int Matrices = 7;
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32).Options with { Ranks = 2 };
        bool[] went = ThreadRanks.Run(2, ranks =>
        {
            var products = new OperationCount("linear weight gradient");
            using CudaDevice card = SimtLibrary.Default.Open();
            using var device = new TracingDevice(card.Profile, products, card);
            var layout = new TrainingLayout(options, device.Profile);
            layout.Trace(products);
            int first = products.Count - (Matrices * options.Model.NumHiddenLayers) + 1;
            products.Count = 0;
            int exchanges = 0;
            bool isBeside = false;
            var held = new ObservedRanks(ranks);
            held.BeforeExchange = () =>
            {
                // Head, final norm, and this.
                if (++exchanges == 3)
                {
                    isBeside = SpinWait.SpinUntil(() => products.Count >= first + Matrices, TimeSpan.FromSeconds(60));
                }
            };
            using var trainer = new Trainer(layout, device, ranks: held);
            (int[] tokens, int[] labels) = ParityCourse.Batch(options, ranks.Rank);
            trainer.Step(tokens, labels);
            return isBeside;
        });
        Assert.All(went, Assert.True);
    }
}
