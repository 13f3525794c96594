using QApollo.Devices;

namespace QApollo.Benchmarks;

/// <summary>Matrix products, by layout and stored form.</summary>
internal static class Products
{
    public static void Run(Bench bench)
    {
        foreach ((int n, int c, int o) in ((int, int, int)[])[(2048, 256, 256), (2048, 256, 688), (2048, 688, 256), (2048, 512, 1376), (2048, 1024, 1024), (2048, 1024, 2736), (512, 2048, 5461), (4096, 512, 512)])
        {
            Layouts(bench, n, c, o);
        }

        Layouts(bench, 1, 1024, 2736);
        Layouts(bench, 8, 1024, 2736);
    }

    private static void Layouts(Bench bench, int n, int c, int o)
    {
        bench.Reset();
        IDevice device = bench.Device;
        Tensor workspace = bench.Raw(DType.U8, 1, (int)device.Profile.WorkspaceBytes(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), c, o)));
        device.UseWorkspace(workspace);
        double flops = 2.0 * n * c * o;
        Tensor x = bench.Normal(n, c), dy = bench.Normal(n, o), y = bench.Raw(DType.F32, n, o), dx = bench.Raw(DType.F32, n, c);
        Tensor dense = bench.Normal(o, c);
        WeightMatrix weight = bench.Weight(o, c, 128);
        WeightMatrix expanded = weight with { ForwardExpansion = Expand(bench, weight, WeightUse.Forward), InputGradientExpansion = Expand(bench, weight, WeightUse.InputGradient) };
        string shape = $"n {n}, c {c}, o {o}";
        bench.Compute($"forward, expanded: {shape}", flops, () => device.LinearForward(x, expanded, y));
        bench.Compute($"forward, int8: {shape}", flops, () => device.LinearForward(x, weight, y));
        bench.Compute($"forward, f32: {shape}", flops, () => device.LinearForward(x, new WeightMatrix(dense), y));
        bench.Compute($"input gradient, expanded: {shape}", flops, () => device.LinearInputGradient(dy, expanded, dx, false));
        bench.Compute($"input gradient, int8: {shape}", flops, () => device.LinearInputGradient(dy, weight, dx, false));
        Tensor single = bench.Raw(DType.F32, o, c), bfloat = bench.Raw(DType.BF16, o, c);
        bench.Compute($"weight gradient, f32: {shape}", flops, () => device.LinearWeightGradient(dy, x, single, true));
        bench.Compute($"weight gradient, bf16: {shape}", flops, () => device.LinearWeightGradient(dy, x, bfloat, true));
        bench.Pass($"expand forward: {shape}", 5.0 * o * c, () => device.ExpandWeight(weight, WeightUse.Forward, expanded.ForwardExpansion));
        bench.Pass($"expand input gradient: {shape}", 5.0 * o * c, () => device.ExpandWeight(weight, WeightUse.InputGradient, expanded.InputGradientExpansion));
    }

    private static Tensor Expand(Bench bench, in WeightMatrix weight, WeightUse use)
    {
        Tensor expansion = bench.Raw(DType.U8, 1, (int)bench.Device.Profile.ExpandedWeightBytes(weight.OutFeatures, weight.InFeatures, use));
        bench.Device.ExpandWeight(weight, use, expansion);
        return expansion;
    }
}
