using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cuda.Tests.Graphs;

/// <summary>Segments of operations: when they become graphs, and that they compute the same either way.</summary>
public sealed class SegmentSimtTests : IDisposable
{
    private const int Elements = 64;

    private readonly SimtCopy _simt = SimtCopy.Of<SegmentSimtTests>();
    private readonly CudaDevice _device;
    private readonly DeviceMemory _memory;
    private readonly Tensor _a;
    private readonly Tensor _b;

    public SegmentSimtTests()
    {
        _device = _simt.Library.Open();
        _memory = new DeviceMemory(_device, 1 << 20);
        (_a, _b) = (_memory.Zeros(DType.F32, 1, Elements), _memory.Zeros(DType.F32, 1, Elements));
    }

    [Fact]
    public void The_third_pass_launches_one_graph_and_changes_only_what_differs()
    {
        Assert.Equal((2, 0, 0), Count(() => Pass(1f)));
        Assert.Equal((0, 1, 0), Count(() => Pass(2f)));
        Assert.Equal((0, 1, 0), Count(() => Pass(2f)));
        Assert.Equal((0, 1, 1), Count(() => Pass(3f)));
        Assert.Equal(3f, _memory.Floats(_a)[0]);
        Assert.Equal(7f, _memory.Floats(_b)[Elements - 1]);

        void Pass(float value) => Segment(() =>
        {
            _device.Fill(_a, value);
            _device.Fill(_b, 7f);
        });
    }

    [Fact]
    public void Without_graphs_every_pass_launches_one_by_one()
    {
        using CudaDevice device = _simt.Library.Open(new CudaOptions { UseGraphs = false });
        using var memory = new DeviceMemory(device, 1 << 20);
        Tensor tensor = memory.Zeros(DType.F32, 1, Elements);
        (int Launches, int, int) counts = Count(() =>
        {
            for (int pass = 0; pass < 4; pass++)
            {
                device.BeginSegment(0);
                device.Fill(tensor, 1f);
                device.EndSegment();
            }
        });
        Assert.Equal((4, 0, 0), counts);
    }

    [Fact]
    public void A_wait_within_a_segment_sees_what_came_before_it()
    {
        for (int pass = 1; pass <= 5; pass++)
        {
            float value = pass;
            Segment(() =>
            {
                _device.Fill(_a, value);
                Assert.Equal(value, _memory.Floats(_a)[0]);
                _device.Fill(_a, -value);
            });
            Assert.Equal(-value, _memory.Floats(_a)[0]);
        }
    }

    [Fact]
    public void Transfers_within_a_segment_keep_their_place()
    {
        Tensor host = _a with { Address = _device.Allocate(MemorySpace.PinnedHost, _a.Bytes) };
        for (int pass = 1; pass <= 5; pass++)
        {
            float value = pass;
            Segment(() =>
            {
                _device.Fill(_a, value);
                Transfer transfer = _device.BeginTransfer(_a, host);
                _device.Fill(_b, 0f);
                _device.AwaitTransfer(transfer);
                _device.Fill(_a, 0f);
                _device.AwaitTransfer(_device.BeginTransfer(host, _b));
            });
            Assert.Equal((0f, value), (_memory.Floats(_a)[0], _memory.Floats(_b)[0]));
        }
    }

    [Fact]
    public void A_pass_with_other_operations_runs_them()
    {
        int pass = 0;
        foreach (int variant in (int[])[0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0])
        {
            float value = ++pass;
            Segment(() =>
            {
                _device.Fill(_a, value);
                if (variant == 1)
                {
                    _device.Copy(_a, _b);
                }

                if (variant != 2)
                {
                    _device.Zero(_a);
                }
            });
            Assert.Equal(variant == 2 ? value : 0f, _memory.Floats(_a)[0]);
            Assert.Equal(variant == 1 ? value : _memory.Floats(_b)[0], _memory.Floats(_b)[0]);
        }
    }

    /// <summary>A graph cannot be told other addresses to copy between; to capture anew each time would cost more than it gains.</summary>
    [Fact]
    public void Copies_between_changing_buffers_are_soon_left_alone()
    {
        Tensor c = _memory.Zeros(DType.F32, 1, Elements);
        int launches = 0;
        for (int pass = 0; pass < 20; pass++)
        {
            Tensor target = pass % 2 == 0 ? _b : c;
            float value = pass;
            (int direct, _, _) = Count(() => Segment(() =>
            {
                _device.Fill(_a, value);
                _device.Copy(_a, target);
            }));
            Assert.Equal(value, _memory.Floats(target)[0]);
            launches = direct;
        }

        Assert.Equal(1, launches);
    }

    [Fact]
    public void A_kernel_that_was_never_loaded_ends_a_capture()
    {
        Segment(() => _device.Fill(_a, 1f));
        Segment(() =>
        {
            _device.Fill(_a, 2f);
            _device.AccumulateSum(_a, _b.ElementRange(0, 1));
        });
        Assert.Equal(2f * Elements, _memory.Floats(_b)[0]);
    }

    [Fact]
    public void An_exception_within_a_segment_loses_nothing()
    {
        for (int pass = 1; pass <= 6; pass++)
        {
            float value = pass;
            Assert.Throws<InvalidOperationException>(() => Segment(() =>
            {
                _device.Fill(_a, value);
                throw new InvalidOperationException();
            }));
            Segment(() => _device.Fill(_b, value));
            Assert.Equal((value, value), (_memory.Floats(_a)[0], _memory.Floats(_b)[0]));
        }
    }

    [Fact]
    public void After_a_few_passes_nothing_is_allocated_on_the_managed_heap()
    {
        Action pass = () =>
        {
            _device.BeginSegment(3);
            _device.Fill(_a, _passes++);
            _device.Copy(_a, _b);
            _device.Zero(_a);
            _device.EndSegment();
        };
        for (int warm = 0; warm < 4; warm++)
        {
            pass();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int count = 0; count < 10; count++)
        {
            pass();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private int _passes;

    public void Dispose()
    {
        _memory.Dispose();
        _device.Dispose();
        Assert.Equal(0, _simt.Library.LiveObjects());
    }

    private void Segment(Action operations)
    {
        _device.BeginSegment(0);
        operations();
        _device.EndSegment();
    }

    private (int Launches, int GraphLaunches, int GraphUpdates) Count(Action pass)
    {
        (int launches, int graphLaunches, int graphUpdates) = _simt.Library.Counts();
        pass();
        (int launchesAfter, int graphLaunchesAfter, int graphUpdatesAfter) = _simt.Library.Counts();
        return (launchesAfter - launches, graphLaunchesAfter - graphLaunches, graphUpdatesAfter - graphUpdates);
    }
}
