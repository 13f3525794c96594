using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Benchmarks;

/// <summary>The optimizer's passes over one matrix.</summary>
internal static class Updates
{
    private static readonly AdamScalars Adam = new(0.9f, 0.999f, 0.1f, 0.001f, 1e-6f, 0.1f, 0.0316f, BiasCorrection.StepSize);

    public static void Run(Bench bench)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Matrix(bench, 1024, 2736, dtype);
            Matrix(bench, 2736, 1024, dtype);
        }
    }

    private static void Matrix(Bench bench, int m, int n, DType dtype)
    {
        bench.Reset();
        IDevice device = bench.Device;
        double elements = (double)m * n;
        double gradientBytes = elements * dtype.Size();
        string shape = $"[{m}, {n}] {dtype}";
        Tensor gradient = bench.Normal(m, n, dtype, 1e-3f);
        int channels = Math.Max(m, n);
        foreach (int rank in (int[])[1, 64])
        {
            Tensor projection = bench.Normal(m >= n ? rank : m, m >= n ? n : rank);
            Tensor projected = bench.Raw(DType.F32, m >= n ? m : rank, m >= n ? rank : n), squares = bench.Raw(DType.F32, 1, channels);
            bench.Pass($"apollo project, rank {rank}: {shape}", gradientBytes, () => device.ApolloProject(gradient, projection, projected, squares));
            Tensor m1 = bench.Raw(DType.F32, projected.Rows, projected.Columns), m2 = bench.Raw(DType.F32, projected.Rows, projected.Columns);
            Tensor norm = bench.Raw(DType.F32, 1, 1), coefficients = bench.Raw(DType.F32, 1, rank == 1 ? 1 : channels), sum = bench.Raw(DType.F32, 1, 1);
            device.Zero(m1);
            device.Zero(m2);
            var scalars = new ApolloScalars(Adam, 0.01f, 1, false, true, false, false, rank == 1);
            bench.Pass($"apollo scale, rank {rank}: {shape}", 20.0 * projected.Elements, () => device.ApolloScale(projected, squares, m >= n ? ChannelAxis.Rows : ChannelAxis.Columns, scalars, m1, m2, norm, coefficients, sum));
        }

        Tensor changed = bench.Raw(DType.I32, 1, 1), one = bench.Raw(DType.F32, 1, 1);
        device.Fill(one, 1e-3f);
        WeightMatrix weight = bench.Weight(m, n, 128);
        uint step = 0;
        foreach (RoundingMode rounding in Enum.GetValues<RoundingMode>())
        {
            bench.Pass($"apply update, int8, {rounding}: {shape}", gradientBytes + 2 * elements, () =>
                device.ApplyUpdate(weight, gradient, one, ChannelAxis.None, new UpdateScalars(1, false, rounding, RegridMode.WhenNeeded, 0, 1, 1, ++step), changed));
        }

        bench.Pass($"apply update, int8, regrid always: {shape}", gradientBytes + 2 * elements, () =>
            device.ApplyUpdate(weight, gradient, one, ChannelAxis.None, new UpdateScalars(1, false, RoundingMode.LowDiscrepancy, RegridMode.Always, 0, 1, 1, ++step), changed));
        var dense = new WeightMatrix(bench.Normal(m, n, DType.BF16));
        bench.Pass($"apply update, bf16, stochastic: {shape}", gradientBytes + 4 * elements, () =>
            device.ApplyUpdate(dense, gradient, one, ChannelAxis.None, new UpdateScalars(1, false, RoundingMode.Stochastic, RegridMode.WhenNeeded, 0, 1, 1, ++step), changed));
        Tensor values = bench.Normal(m, n);
        bench.Pass($"quantize: {shape}", 5 * elements, () => device.Quantize(values, weight));
        bench.Pass($"dequantize: {shape}", 5 * elements, () => device.Dequantize(weight, values));
        Tensor first = bench.Raw(DType.F32, m, n), second = bench.Raw(DType.F32, m, n), total = bench.Raw(DType.F32, 1, 1);
        device.Zero(first);
        device.Zero(second);
        bench.Pass($"adam: {shape}", 2 * gradientBytes + 16 * elements, () => device.AdamDirection(gradient, first, second, Adam, total));
        Tensor code1 = bench.Raw(DType.U8, m, n), code2 = bench.Raw(DType.U8, m, n);
        int blocks = EightBitMap.Blocks(gradient.Elements);
        Tensor scale1 = bench.Raw(DType.F32, 1, blocks), scale2 = bench.Raw(DType.F32, 1, blocks);
        device.Zero(scale1);
        device.Zero(scale2);
        device.Zero(code1);
        device.Zero(code2);
        bench.Pass($"adam 8-bit: {shape}", 2 * gradientBytes + 4 * elements, () => device.AdamDirection8Bit(gradient, code1, code2, scale1, scale2, Adam, total));
    }
}
