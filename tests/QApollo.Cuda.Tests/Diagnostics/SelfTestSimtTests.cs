using QApollo.Benchmarks;
using QApollo.Cpu;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Diagnostics;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Diagnostics;

/// <summary>What `qapollo doctor` and `qapollo bench` do with a card, on the emulated one.</summary>
public class SelfTestSimtTests
{
    [Fact]
    public void The_kernels_pass_the_self_test()
    {
        using var device = CudaDevice.Open(driverLibrary: Repository.SimtLibrary);
        using var cpu = new CpuDevice(threads: 2);
        IReadOnlyList<SelfTestCheck> checks = SelfTest.Run(device, cpu);
        Assert.Equal(12, checks.Count);
        Assert.All(checks, check => Assert.True(check.Passed, $"{check.Name}: off by {check.Difference}"));

        // BF16 shows: the device is not compared with itself.
        Assert.Contains(checks, check => check.Difference > 1e-4);
    }

    [Fact]
    public void Every_operation_of_a_step_is_timed_by_events()
    {
        var options = new TrainingOptions
        {
            Model = new LlamaConfig
            {
                HiddenSize = 32,
                IntermediateSize = 48,
                NumHiddenLayers = 1,
                NumAttentionHeads = 2,
                NumKeyValueHeads = 1,
                HeadDim = 16,
                VocabSize = 67,
                MaxPositionEmbeddings = 64,
            },
            Shape = new StepShape(1, 16, 1),
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0.001, 100),
        };
        using var device = CudaDevice.Open(driverLibrary: Repository.SimtLibrary);
        BenchmarkReport report = new StepBenchmark(device, "emulated").Run("tiny", options, steps: 1);
        Assert.Contains(report.Rows, row => row is { Work.Operation: "linear forward", MedianSeconds: > 0 });
        Assert.Contains(report.Rows, row => row is { Work.Operation: "apply update", MedianSeconds: > 0 });
        Assert.Equal("large products", report.PeakSource);
    }

    [Fact]
    public void Marks_are_in_order_and_leave_nothing_behind()
    {
        string copy = Path.Combine(Path.GetTempPath(), $"simt-{Guid.NewGuid():N}.so");
        File.Copy(Repository.SimtLibrary, copy);
        try
        {
            var library = new SimtLibrary(copy);
            using (CudaDevice device = library.Open())
            {
                var tensor = new Tensor(device.Allocate(MemorySpace.Device, 256), DType.U8, 1, 256);
                device.Synchronize();
                int first = device.Mark();
                device.Zero(tensor);
                device.Zero(tensor);
                int second = device.Mark();
                device.Synchronize();

                // The emulator's clock counts a millisecond for each operation.
                Assert.Equal(0.002, device.Seconds(first, second), 1e-9);
                device.ClearMarks();
                Assert.Equal(first, device.Mark());
            }

            Assert.Equal(0, library.LiveObjects());
        }
        finally
        {
            File.Delete(copy);
        }
    }
}
