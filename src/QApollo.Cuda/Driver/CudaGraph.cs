using System.Runtime.InteropServices;

namespace QApollo.Cuda.Driver;

/// <summary>
/// Work of a stream that was captured instead of run, as one executable graph. The graph that it was made from is kept:
/// its nodes name what <see cref="SetKernel"/> changes.
/// </summary>
internal sealed unsafe class CudaGraph : IDisposable
{
    /// <summary>Calls that cannot be captured are refused on the capturing thread only.</summary>
    private const int ThreadLocalCapture = 1;

    private readonly CudaContext _context;
    private readonly nint _graph;
    private readonly nint _executable;

    private CudaGraph(CudaContext context, nint graph, nint executable) => (_context, _graph, _executable) = (context, graph, executable);

    /// <summary>Launches, copies and fills of this thread in the stream are captured from now on.</summary>
    public static void BeginCapture(CudaContext context, nint stream) =>
        context.Driver.Check(context.Driver.Table.StreamBeginCapture(stream, ThreadLocalCapture), "cuStreamBeginCapture");

    /// <summary>The node that the last captured call made.</summary>
    public static nint LastNode(CudaContext context, nint stream)
    {
        int status;
        ulong id;
        nint graph;
        nint* nodes;
        nuint count;
        context.Driver.Check(
            context.Driver.Table.StreamGetCaptureInfo(stream, &status, &id, &graph, &nodes, &count), "cuStreamGetCaptureInfo");
        return count == 1 ? nodes[0] : throw new CudaException($"a captured stream ends in {count} nodes instead of one");
    }

    /// <exception cref="CudaException">What was captured is no graph, or there is no memory for it. The stream captures no more.</exception>
    public static CudaGraph EndCapture(CudaContext context, nint stream)
    {
        DriverTable table = context.Driver.Table;
        nint graph, executable;
        context.Driver.Check(table.StreamEndCapture(stream, &graph), "cuStreamEndCapture");
        int status = table.GraphInstantiate(&executable, graph, 0);
        if (status != 0)
        {
            table.GraphDestroy(graph);
            context.Driver.Check(status, "cuGraphInstantiate");
        }

        return new CudaGraph(context, graph, executable);
    }

    /// <summary>Ends a capture without a use for it.</summary>
    public static void DropCapture(CudaContext context, nint stream)
    {
        nint graph = 0;
        if (context.Driver.Table.StreamEndCapture(stream, &graph) == 0)
        {
            context.Driver.Table.GraphDestroy(graph);
        }
    }

    /// <summary>Gives a kernel another grid, shared memory and arguments, from the next launch on.</summary>
    public void SetKernel(nint node, in KernelNodeParameters parameters)
    {
        fixed (KernelNodeParameters* pointer = &parameters)
        {
            _context.Driver.Check(_context.Driver.Table.GraphSetKernel(_executable, node, pointer), "cuGraphExecKernelNodeSetParams");
        }
    }

    public void Launch(nint stream) => _context.Driver.Check(_context.Driver.Table.GraphLaunch(_executable, stream), "cuGraphLaunch");

    public void Dispose()
    {
        _context.Driver.Check(_context.Driver.Table.GraphExecutableDestroy(_executable), "cuGraphExecDestroy");
        _context.Driver.Check(_context.Driver.Table.GraphDestroy(_graph), "cuGraphDestroy");
    }
}

/// <summary>CUDA_KERNEL_NODE_PARAMS, version 1.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KernelNodeParameters
{
    public nint Function;
    public uint GridX;
    public uint GridY;
    public uint GridZ;
    public uint BlockX;
    public uint BlockY;
    public uint BlockZ;
    public uint SharedBytes;
    public void** Arguments;
    public void** Extra;
}
