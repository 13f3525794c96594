using System.Runtime.InteropServices;
using QApollo.Cpu.Gemm;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu;

/// <summary>What the operations share: threads, the matrix kernel, scratch memory.</summary>
internal sealed unsafe class CpuContext : IDisposable
{
    /// <summary>Partial results of a reduction; fixed, so that sums never depend on the number of threads.</summary>
    public const int MaxPartials = 4096;

    public CpuContext(int threads, Microkernel kernel)
    {
        Pool = new WorkerPool(threads);
        Kernel = kernel;
        Partials = (double*)NativeMemory.AlignedAlloc(MaxPartials * sizeof(double), 64);
    }

    public WorkerPool Pool { get; }

    public Microkernel Kernel { get; }

    /// <summary><see cref="MaxPartials"/> values, free for the running operation.</summary>
    public double* Partials { get; }

    public Tensor Workspace { get; set; }

    public void Dispose()
    {
        Pool.Dispose();
        NativeMemory.AlignedFree(Partials);
    }
}
