using QApollo.Devices;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Memory;

/// <summary>No operation of a step writes beyond its tensors.</summary>
public sealed class ArenaWatchTests
{
    public static TheoryData<string> Courses => [.. ParityCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Every_operation_leaves_alone_what_it_does_not_write(string course)
    {
        using IDevice device = Engine.Device();
        IReadOnlySet<string> operations = ArenaWatch.Run(ParityCourse.All.Single(candidate => candidate.Name == course), device);
        Assert.Superset(new HashSet<string>(["attention backward", "linear weight gradient", "swiglu forward", "cross-entropy backward"]), operations.ToHashSet());
    }

    [Fact]
    public void A_byte_behind_a_tensor_that_changes_is_told_with_the_operation()
    {
        using IDevice device = Engine.Device();
        var watch = new ArenaWatch(device);
        var overrun = new Overrun(device);
        using Trainer trainer = Engine.Trainer(
            ParityCourse.All[0].Options, new TracingDevice(device.Profile, watch, new TracingDevice(device.Profile, overrun, device)));
        watch.Begin(trainer);
        overrun.IsOn = true;
        string message = Assert.Throws<InvalidOperationException>(() => Step(trainer)).Message;
        Assert.StartsWith("'swiglu forward' changed byte ", message, StringComparison.Ordinal);
    }

    private static void Step(Trainer trainer)
    {
        (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, seed: 1);
        trainer.Step(tokens, labels);
    }

    /// <summary>Changes a byte behind what the first SwiGLU writes, as a kernel would that does not know where its rows end.</summary>
    private sealed class Overrun(IDevice device) : IOperationObserver
    {
        public bool IsOn { get; set; }

        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            if (!IsOn || operation != "swiglu forward")
            {
                return;
            }

            IsOn = false;
            Tensor output = accesses[^1].Tensor;
            var behind = new Tensor(output.Address + (nint)output.Bytes, DType.U8, 1, 1);
            byte[] content = new byte[1];
            device.Download(behind, content);
            device.Upload([(byte)~content[0]], behind);
        }
    }
}
