using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Reports;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>Layers that wait in host memory leave the bytes of layers on the device; a copy that nothing waits for would be stale.</summary>
public sealed class StreamingSimtTests
{
    private readonly SimtCopy _simt = SimtCopy.Of<StreamingSimtTests>();

    public static TheoryData<string> Courses => [.. StreamingCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Every_byte_is_that_of_layers_on_the_device(string name) =>
        StreamingCourse.All.Single(course => course.Name == name).AssertEqualsPlain(() => _simt.Library.Open());

    /// <summary>
    /// In the virtual time of the emulated driver, where each kernel takes a millisecond: with copies that take a fifth of a step
    /// the step takes a twentieth longer at most; with copies that take twice the step they cannot hide.
    /// </summary>
    [Theory]
    [InlineData(MemorySpace.Device)]
    [InlineData(MemorySpace.PinnedHost)]
    public void Copies_run_beside_the_computation(MemorySpace boundaries)
    {
        TrainingOptions streamed = new StreamingCourse(8, new LayerPlacement(MemorySpace.PinnedHost, 2), boundaries).Streamed with { SampleTokens = 0 };
        TrainingOptions plain = streamed with { Memory = streamed.Memory with { Layers = LayerPlacement.OnDevice, Boundaries = MemorySpace.Device } };
        long bytes = LinkBytes(streamed);
        double without = StepSeconds(plain, bytesPerSecond: 1e12);

        double hidden = StepSeconds(streamed, bytes / (0.2 * without));
        double seen = StepSeconds(streamed, bytes / (2 * without));
        Assert.InRange(hidden, without, 1.05 * without);
        Assert.InRange(seen, 2 * without, 3 * without);
    }

    [Fact]
    public void Memory_that_the_system_does_not_lock_is_one_clear_line_before_anything_is_loaded()
    {
        TrainingOptions options = StreamingCourse.All[0].Streamed;
        using CudaDevice device = _simt.Library.Open();
        int objects = _simt.Library.LiveObjects();
        _simt.Library.SetLockedLimit(new TrainingLayout(options, device.Profile).Plan.PinnedHostArenaBytes - 1);
        try
        {
            string message = Assert.Throws<InsufficientMemoryException>(() => new Trainer(options, device)).Message;
            Assert.Contains("did not lock", message, StringComparison.Ordinal);
            Assert.Contains("ulimit -l", message, StringComparison.Ordinal);
            Assert.Contains("--layers disk", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
            Assert.Equal(objects, _simt.Library.LiveObjects());
        }
        finally
        {
            _simt.Library.SetLockedLimit(long.MaxValue);
        }
    }

    /// <summary>Between two marks of the device's clock around the third step.</summary>
    private double StepSeconds(TrainingOptions options, double bytesPerSecond)
    {
        using CudaDevice device = _simt.Library.Open();
        using var trainer = new Trainer(options, device);
        TinyTraining.Step(trainer, 0);
        TinyTraining.Step(trainer, 1);
        _simt.Library.SetCopySpeed(bytesPerSecond * 1e-3);
        int begin = device.Mark();
        TinyTraining.Step(trainer, 2);
        int end = device.Mark();
        device.Synchronize();
        _simt.Library.SetCopySpeed(0);
        return device.Seconds(begin, end);
    }

    private static long LinkBytes(TrainingOptions options)
    {
        var clock = new VirtualClock(Cards.All[0], options.Shape.SequenceLength);
        new TrainingLayout(options, new CudaProfile()).Trace(clock);
        return clock.LinkBytes;
    }
}
