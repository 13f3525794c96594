using System.Runtime.InteropServices;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu.Operations;

/// <summary>Moves and sets memory; bound by its bandwidth, so a few threads share a large piece.</summary>
internal static unsafe class Copies
{
    private const int ChunkElements = 1 << 16;

    public static void Upload(ReadOnlySpan<byte> source, Tensor destination)
    {
        fixed (byte* from = source)
        {
            NativeMemory.Copy(from, (void*)destination.Address, (nuint)destination.Bytes);
        }
    }

    public static void Download(Tensor source, Span<byte> destination)
    {
        fixed (byte* to = destination)
        {
            NativeMemory.Copy((void*)source.Address, to, (nuint)source.Bytes);
        }
    }

    public static void Copy(CpuContext context, Tensor source, Tensor destination) =>
        context.Pool.Run(new CopyJob { Source = source, Destination = destination }, Chunks(source));

    public static void Zero(CpuContext context, Tensor tensor) => context.Pool.Run(new ZeroJob { Tensor = tensor }, Chunks(tensor));

    public static void Fill(CpuContext context, Tensor tensor, float value) =>
        context.Pool.Run(new FillJob { Tensor = tensor, Value = value }, Chunks(tensor));

    private static int Chunks(Tensor tensor) => (int)((tensor.Elements + ChunkElements - 1) / ChunkElements);

    private static int Length(Tensor tensor, long first) => (int)Math.Min(ChunkElements, tensor.Elements - first);

    private struct CopyJob : IJob
    {
        public Tensor Source;
        public Tensor Destination;

        public readonly void Run(int task, int worker)
        {
            long first = (long)task * ChunkElements;
            int count = Length(Source, first);
            if (Source.DType == Destination.DType)
            {
                int size = Source.DType.Size();
                NativeMemory.Copy(
                    (byte*)Source.Address + first * size, (byte*)Destination.Address + first * size, (nuint)count * (nuint)size);
            }
            else if (Source.DType == DType.BF16)
            {
                Elements.FromBFloat((ushort*)Source.Address + first, (float*)Destination.Address + first, count);
            }
            else
            {
                Elements.ToBFloat((float*)Source.Address + first, (ushort*)Destination.Address + first, count);
            }
        }
    }

    private struct ZeroJob : IJob
    {
        public Tensor Tensor;

        public readonly void Run(int task, int worker)
        {
            long first = (long)task * ChunkElements;
            int size = Tensor.DType.Size();
            NativeMemory.Clear((byte*)Tensor.Address + first * size, (nuint)Length(Tensor, first) * (nuint)size);
        }
    }

    private struct FillJob : IJob
    {
        public Tensor Tensor;
        public float Value;

        public readonly void Run(int task, int worker)
        {
            long first = (long)task * ChunkElements;
            int count = Length(Tensor, first);
            if (Tensor.DType == DType.F32)
            {
                new Span<float>((float*)Tensor.Address + first, count).Fill(Value);
            }
            else
            {
                new Span<ushort>((ushort*)Tensor.Address + first, count).Fill(BFloat.FromSingle(Value));
            }
        }
    }
}
