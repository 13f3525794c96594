using System.Numerics;
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
            int width = Vector<float>.Count;
            for (; i <= end - width; i += width)
            {
                (Silu(Vector.Load(Gate + i)) * Vector.Load(Up + i)).Store(Output + i);
            }

            for (; i < end; i++)
            {
                Output[i] = Silu(Vector.Create(Gate[i]))[0] * Up[i];
            }
        }

        private static Vector<float> Silu(Vector<float> x) => x / (Vector<float>.One + VectorMath.Exp(-x));
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
            int width = Vector<float>.Count;
            for (; i <= end - width; i += width)
            {
                Differentiate(
                    Vector.Load(Gate + i), Vector.Load(Up + i), Vector.Load(OutputGradient + i),
                    out Vector<float> gateGradient, out Vector<float> upGradient);
                gateGradient.Store(GateGradient + i);
                upGradient.Store(UpGradient + i);
            }

            for (; i < end; i++)
            {
                Differentiate(
                    Vector.Create(Gate[i]), Vector.Create(Up[i]), Vector.Create(OutputGradient[i]),
                    out Vector<float> gateGradient, out Vector<float> upGradient);
                GateGradient[i] = gateGradient[0];
                UpGradient[i] = upGradient[0];
            }
        }

        private static void Differentiate(
            Vector<float> gate, Vector<float> up, Vector<float> dy, out Vector<float> gateGradient, out Vector<float> upGradient)
        {
            Vector<float> s = VectorMath.Sigmoid(gate);
            Vector<float> dys = dy * s;
            upGradient = dys * gate;
            gateGradient = dys * up * VectorMath.MultiplyAdd(gate, Vector<float>.One - s, Vector<float>.One);
        }
    }
}
