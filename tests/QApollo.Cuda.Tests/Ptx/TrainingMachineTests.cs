using QApollo.Cpu;
using QApollo.Cuda.Tests.Simt;
using QApollo.Cuda.Tests.Training;
using QApollo.Devices;
using QApollo.Diagnostics;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>Training, graphs, run orders and the self-test on the PTX that ships.</summary>
public sealed class TrainingMachineTests
{
    public static TheoryData<string> Courses => [.. ParityCourse.All.Where(course => !course.IsWide).Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Training_follows_the_course_of_the_cpu(string name)
    {
        ParityCourse course = ParityCourse.All.Single(course => course.Name == name);
        using var cpu = new CpuDevice(threads: 2);
        using CudaDevice machine = PtxMachine.Library.Open();
        ParityCourse.AssertFollows(course.Train(machine), course.Train(cpu));
    }

    [Fact]
    public void Graphs_leave_the_bytes_of_single_launches()
    {
        TrainingOptions options = TinyTraining.Options(OptimizerKind.ApolloMini, 2, MemorySpace.Device);
        Compare.BitEqual<byte>(Train(options, useGraphs: true), Train(options, useGraphs: false), "weights");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Layers_in_host_memory_leave_the_bytes_of_layers_on_the_device(int course) =>
        StreamingCourse.All[course].AssertEqualsPlain(() => PtxMachine.Library.Open());

    [Fact]
    public void Results_do_not_depend_on_the_order_of_warps() => KernelTour.AssertEqualInEveryOrder(PtxMachine.Library);

    [Fact]
    public void The_kernels_pass_the_self_test()
    {
        using CudaDevice device = PtxMachine.Library.Open();
        using var cpu = new CpuDevice(threads: 2);
        Assert.All(SelfTest.Run(device, cpu), check => Assert.True(check.Passed, $"{check.Name}: off by {check.Difference}"));
    }

    private static byte[] Train(TrainingOptions options, bool useGraphs)
    {
        using CudaDevice device = PtxMachine.Library.Open(new CudaOptions { UseGraphs = useGraphs });
        using var trainer = new Trainer(options, device);
        for (int step = 0; step < 4; step++)
        {
            TinyTraining.Step(trainer, step);
        }

        return TinyTraining.State(trainer);
    }
}
