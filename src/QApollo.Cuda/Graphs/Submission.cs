using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Graphs;

/// <summary>Gives commands to the driver, in one stream.</summary>
internal sealed unsafe class Submission(CudaContext context, KernelModules modules, nint stream)
{
    public CudaContext Context { get; } = context;

    public nint Stream { get; } = stream;

    /// <summary>Whether a command needs no more of the driver than to be taken: nothing to load, no limit to raise.</summary>
    public bool IsPrepared(in Command command) => command.Kind switch
    {
        CommandKind.Kernel => modules.IsPrepared(command.Kernel!, command.SharedBytes),
        CommandKind.Product => command.Product!.HasRun,
        _ => true,
    };

    public void Submit(in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        switch (command.Kind)
        {
            case CommandKind.Kernel:
                modules.Launch(command.Kernel!, command.Grid, command.SharedBytes, Stream, arguments);
                break;
            case CommandKind.Copy:
                Context.Copy((nint)arguments[0].Bits, (nint)arguments[1].Bits, arguments[2].Bits, Stream);
                break;
            case CommandKind.Product:
                command.Product!.Run(
                    (nint)arguments[0].Bits, (nint)arguments[1].Bits, (nint)arguments[2].Bits, (nint)arguments[3].Bits, (nint)arguments[4].Bits, Stream);
                break;
            default:
                Context.Fill((nint)arguments[0].Bits, (byte)arguments[1].Bits, arguments[2].Bits, Stream);
                break;
        }
    }

    /// <summary>Changes the numbers of a kernel in a graph.</summary>
    public void Update(CudaGraph graph, nint node, in Command command, ReadOnlySpan<KernelArgument> arguments)
    {
        fixed (KernelArgument* slots = arguments)
        {
            void** pointers = stackalloc void*[arguments.Length];
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = slots + i;
            }

            graph.SetKernel(node, new KernelNodeParameters
            {
                Function = modules.Prepare(command.Kernel!, command.SharedBytes),
                GridX = checked((uint)command.Grid.X),
                GridY = (uint)command.Grid.Y,
                GridZ = (uint)command.Grid.Z,
                BlockX = (uint)command.Kernel!.Threads,
                BlockY = 1,
                BlockZ = 1,
                SharedBytes = (uint)command.SharedBytes,
                Arguments = pointers,
            });
        }
    }
}
