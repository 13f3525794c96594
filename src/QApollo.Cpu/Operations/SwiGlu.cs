using System.Runtime.Intrinsics;
using QApollo.Cpu.Numerics;
using QApollo.Cpu.Threading;
using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>The gated activation silu(gate) * up (arXiv 2002.05202).</summary>
internal static unsafe class SwiGlu
{
    private const int ChunkElements = 8192;

    public static void Forward(CpuContext context, Tensor gate, Tensor up, Tensor output)
    {
        var job = new ForwardJob
        {
            Gate = (float*)gate.Address,
            Up = (float*)up.Address,
            Output = (float*)output.Address,
            Elements = gate.Elements,
        };
        context.Pool.Run(job, Chunks(gate));
    }

    public static void Backward(
        CpuContext context, Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient)
    {
        var job = new BackwardJob
        {
            Gate = (float*)gate.Address,
            Up = (float*)up.Address,
            OutputGradient = (float*)outputGradient.Address,
            GateGradient = (float*)gateGradient.Address,
            UpGradient = (float*)upGradient.Address,
            Elements = gate.Elements,
        };
        context.Pool.Run(job, Chunks(gate));
    }

    private static int Chunks(Tensor tensor) => (int)((tensor.Elements + ChunkElements - 1) / ChunkElements);

    private struct ForwardJob : IJob
    {
        public float* Gate;
        public float* Up;
        public float* Output;
        public long Elements;

        public readonly void Run(int task, int worker)
        {
            long i = (long)task * ChunkElements;
            long end = Math.Min(i + ChunkElements, Elements);
            if (Vector512.IsHardwareAccelerated)
            {
                Run<Lanes512>(ref i, end);
            }

            Run<LanesVector>(ref i, end);
            Run<LanesScalar>(ref i, end);
        }

        private readonly void Run<T>(ref long i, long end)
            where T : struct, ILanes<T>
        {
            T one = T.Create(1);
            T zero = T.Create(0);
            for (; i <= end - T.Count; i += T.Count)
            {
                T gate = T.Load(Gate + i);
                (gate / (one + VectorMath.Exp(zero - gate)) * T.Load(Up + i)).Store(Output + i);
            }
        }
    }

    private struct BackwardJob : IJob
    {
        public float* Gate;
        public float* Up;
        public float* OutputGradient;
        public float* GateGradient;
        public float* UpGradient;
        public long Elements;

        public readonly void Run(int task, int worker)
        {
            long i = (long)task * ChunkElements;
            long end = Math.Min(i + ChunkElements, Elements);
            if (Vector512.IsHardwareAccelerated)
            {
                Run<Lanes512>(ref i, end);
            }

            Run<LanesVector>(ref i, end);
            Run<LanesScalar>(ref i, end);
        }

        private readonly void Run<T>(ref long i, long end)
            where T : struct, ILanes<T>
        {
            T one = T.Create(1);
            T zero = T.Create(0);
            for (; i <= end - T.Count; i += T.Count)
            {
                T gate = T.Load(Gate + i);
                T up = T.Load(Up + i);
                T sigmoid = one / (one + VectorMath.Exp(zero - gate));
                T scaled = T.Load(OutputGradient + i) * sigmoid;
                (scaled * gate).Store(UpGradient + i);
                (scaled * up * T.MultiplyAdd(gate, one - sigmoid, one)).Store(GateGradient + i);
            }
        }
    }
}
