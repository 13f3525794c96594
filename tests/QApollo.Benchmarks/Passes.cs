using QApollo.Devices;

namespace QApollo.Benchmarks;

/// <summary>Elementwise and rowwise operations against the bandwidth of a copy; operands larger than the caches.</summary>
internal static class Passes
{
    public static void Run(Bench bench)
    {
        bench.Reset();
        IDevice device = bench.Device;
        const int N = 8192, H = 1024, I = 2736, V = 32000;
        const double Row = 4.0 * N * H, Wide = 4.0 * N * I;
        device.UseWorkspace(bench.Raw(DType.U8, 1, (int)device.Profile.WorkspaceBytes(new WorkspaceRequest(new AttentionShape(1, 256, 256, 1, 1, 64), I, V))));
        Tensor x = bench.Normal(N, H), y = bench.Raw(DType.F32, N, H), dy = bench.Normal(N, H), dx = bench.Normal(N, H);
        Tensor weight = bench.Normal(1, H), inverse = bench.Raw(DType.F32, 1, N), dw = bench.Raw(DType.F32, 1, H);
        bench.Pass("rmsnorm forward", 2 * Row, () => device.RmsNormForward(x, weight, 1e-6f, y, inverse));
        bench.Pass("rmsnorm backward", 3 * Row, () => device.RmsNormBackward(dy, x, weight, inverse, dx, false, dw, false));
        bench.Pass("rmsnorm backward, accumulated", 4 * Row, () => device.RmsNormBackward(dy, x, weight, inverse, dx, true, dw, true));
        Tensor cosine = bench.Normal(1024, 32), sine = bench.Normal(1024, 32);
        bench.Pass("rotary embedding", 2 * Row, () => device.RotaryEmbedding(y, cosine, sine, 1024, 0, false));
        Tensor gate = bench.Normal(N, I), up = bench.Normal(N, I), gated = bench.Raw(DType.F32, N, I), gradient = bench.Normal(N, I), second = bench.Raw(DType.F32, N, I);
        bench.Pass("swiglu forward", 3 * Wide, () => device.SwiGluForward(gate, up, gated));
        bench.Pass("swiglu backward", 5 * Wide, () => device.SwiGluBackward(gate, up, gradient, gated, second));
        const int Rows = 1024;
        Tensor logits = bench.Normal(Rows, V), labels = bench.Raw(DType.I32, 1, Rows), logSumExp = bench.Raw(DType.F32, 1, Rows), losses = bench.Raw(DType.F32, 1, Rows);
        device.Zero(labels);
        bench.Pass("cross-entropy forward", 4.0 * Rows * V, () => device.CrossEntropyForward(logits, labels, logSumExp, losses));
        bench.Pass("cross-entropy backward", 8.0 * Rows * V, () => device.CrossEntropyBackward(logits, labels, logSumExp, 0, 1f));
        WeightMatrix table = bench.Weight(V, H, 128);
        Tensor tokens = bench.Raw(DType.I32, 1, N);
        device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(Enumerable.Range(0, N).Select(i => i * 7919 % V).ToArray()), tokens);
        bench.Pass("embedding forward, int8", 5.0 * N * H, () => device.EmbeddingForward(table, tokens, y));
        Tensor total = bench.Raw(DType.F32, 1, 1);
        bench.Pass("sum of squares, f32", Wide, () => device.AccumulateSumOfSquares(gate, total));
        Tensor bfloat = bench.Normal(N, I, DType.BF16);
        bench.Pass("sum of squares, bf16", Wide / 2, () => device.AccumulateSumOfSquares(bfloat, total));
        bench.Pass("copy f32 to bf16", Wide * 1.5, () => device.Copy(gate, bfloat));
        bench.Pass("zero", Wide, () => device.Zero(gated));
        bench.Pass("fill normal", Row, () => bench.Device.FillNormal(y, new Quantization.RandomStream(1, Quantization.RandomPurpose.Initialization, 0, 0), 0, 1));
    }
}
