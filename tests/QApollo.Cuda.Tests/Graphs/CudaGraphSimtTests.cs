using QApollo.Cuda.Driver;
using QApollo.Cuda.Graphs;
using QApollo.Cuda.Tests.Simt;
using Xunit;

namespace QApollo.Cuda.Tests.Graphs;

/// <summary>The emulator refuses during a capture what the driver refuses, so that the tests of the device mean something.</summary>
public sealed class CudaGraphSimtTests : IDisposable
{
    private const int Unsupported = 900;
    private const int Invalidated = 901;
    private const int Isolation = 905;

    private static readonly Kernel Fill = new("fill", "fill_f32", 256, 4);

    private readonly SimtCopy _simt = SimtCopy.Of<CudaGraphSimtTests>();
    private readonly CudaContext _context;
    private readonly KernelModules _modules;
    private readonly nint _stream;
    private readonly nint _event;
    private readonly nint _memory;

    public CudaGraphSimtTests()
    {
        CudaDriver driver = CudaDriver.Open(_simt.Path);
        _context = new CudaContext(driver, CudaCard.Read(driver, 0));
        _modules = new KernelModules(_context);
        (_stream, _event, _memory) = (_context.CreateStream(), _context.CreateEvent(), _context.Allocate(4096));
        Launch(0f);
    }

    [Fact]
    public void A_capture_computes_nothing_until_its_graph_is_launched()
    {
        CudaGraph.BeginCapture(_context, _stream);
        Launch(3f);
        nint node = CudaGraph.LastNode(_context, _stream);
        Assert.Equal(0f, First(afterCapture: false));
        using CudaGraph graph = CudaGraph.EndCapture(_context, _stream);
        Assert.Equal(0f, First());
        graph.Launch(_stream);
        Assert.Equal(3f, First());
        new Submission(_context, _modules, _stream).Update(graph, node, new Command(CommandKind.Kernel, Fill, (1, 1, 1)), [_memory, 5f, 100L, true]);
        graph.Launch(_stream);
        Assert.Equal(5f, First());
    }

    [Fact]
    public void Waits_memory_and_modules_are_refused_and_end_the_capture()
    {
        Refuses(Unsupported, () => _context.Synchronize(_stream));
        Refuses(Unsupported, () => _context.SynchronizeEvent(_event));
        Refuses(Unsupported, () => _context.Record(_event, _stream));
        Refuses(Unsupported, () => _context.Allocate(4096));
        Refuses(Unsupported, () => _context.AllocateHost(4096));
        Refuses(Unsupported, () => _context.Free(_memory));
        Refuses(Unsupported, () => _modules.Prepare(new Kernel("reduce", "sum_f32", 256, 4), 0));
        Refuses(Isolation, () => _context.Wait(_stream, _event));
    }

    [Fact]
    public void Another_thread_cannot_end_a_capture()
    {
        CudaGraph.BeginCapture(_context, _stream);
        CudaException? exception = null;
        var thread = new Thread(() =>
        {
            _context.MakeCurrent();
            exception = Assert.Throws<CudaException>(() => CudaGraph.EndCapture(_context, _stream));
        });
        thread.Start();
        thread.Join();
        Assert.Equal(908, exception!.Status);
        CudaGraph.DropCapture(_context, _stream);
    }

    public void Dispose()
    {
        _context.Free(_memory);
        _context.DestroyEvent(_event);
        _context.DestroyStream(_stream);
        _modules.Dispose();
        _context.Dispose();
        Assert.Equal(0, _simt.Library.LiveObjects());
    }

    private void Refuses(int status, Action call)
    {
        CudaGraph.BeginCapture(_context, _stream);
        Launch(9f);
        Assert.Equal(status, Assert.Throws<CudaException>(call).Status);
        Assert.Equal(Invalidated, Assert.Throws<CudaException>(() => Launch(9f)).Status);
        Assert.Equal(Invalidated, Assert.Throws<CudaException>(() => CudaGraph.EndCapture(_context, _stream)).Status);
        Assert.Equal(0f, First());
    }

    private void Launch(float value) => _modules.Launch(Fill, (1, 1, 1), 0, _stream, [_memory, value, 100L, true]);

    /// <summary>The emulator's device memory is the host's; a stream that captures cannot be waited for.</summary>
    private unsafe float First(bool afterCapture = true)
    {
        if (afterCapture)
        {
            _context.Synchronize(_stream);
        }

        return *(float*)_memory;
    }
}
