using QApollo.Devices;

namespace QApollo.Benchmarks;

/// <summary>Attention; only the visible half of the scores counts as work.</summary>
internal static class Attentions
{
    public static void Run(Bench bench)
    {
        Shape(bench, new AttentionShape(8, 256, 256, 4, 4, 64));
        Shape(bench, new AttentionShape(4, 512, 512, 8, 8, 64));
        Shape(bench, new AttentionShape(2, 1024, 1024, 8, 2, 64));
        Shape(bench, new AttentionShape(1, 2048, 2048, 8, 8, 128));
        Shape(bench, new AttentionShape(8, 256, 256, 8, 8, 48));
        Shape(bench, new AttentionShape(1, 1, 1024, 8, 8, 64));
    }

    private static void Shape(Bench bench, AttentionShape shape)
    {
        bench.Reset();
        IDevice device = bench.Device;
        device.UseWorkspace(bench.Raw(DType.U8, 1, (int)device.Profile.WorkspaceBytes(new WorkspaceRequest(shape, shape.QueryColumns, shape.QueryColumns))));
        int n = shape.QueryRows, columns = shape.QueryColumns;
        Tensor q = bench.Normal(n, columns), k = bench.Normal(shape.KeyRows, shape.KeyColumns), v = bench.Normal(shape.KeyRows, shape.KeyColumns);
        Tensor output = bench.Raw(DType.F32, n, columns), logSumExp = bench.Raw(DType.F32, shape.Heads, n);
        double visible = shape.QueryLength * (shape.KeyLength - (shape.QueryLength - 1) / 2.0);
        double flops = 4.0 * shape.Batch * shape.Heads * visible * shape.HeadDim;
        string name = $"b {shape.Batch}, t {shape.QueryLength}/{shape.KeyLength}, h {shape.Heads}/{shape.KeyValueHeads}, d {shape.HeadDim}";
        bench.Compute($"attention forward: {name}", flops, () => device.AttentionForward(q, k, v, shape, output, logSumExp));
        if (shape.QueryLength == shape.KeyLength)
        {
            Tensor gradient = bench.Normal(n, columns), delta = bench.Raw(DType.F32, shape.Heads, n);
            Tensor dq = bench.Raw(DType.F32, n, columns), dk = bench.Raw(DType.F32, shape.KeyRows, shape.KeyColumns), dv = bench.Raw(DType.F32, shape.KeyRows, shape.KeyColumns);
            bench.Compute($"attention backward: {name}", 2.5 * flops, () => device.AttentionBackward(q, k, v, output, logSumExp, gradient, shape, delta, dq, dk, dv));
        }
    }
}
