using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Diagnostics;

/// <summary>
/// A few operations of each family on small odd shapes. Each runs on two devices from the same values; what it returns is compared.
/// </summary>
internal static class KernelChecks
{
    private const int N = 48, C = 72, O = 104, V = 131;
    private static readonly AttentionShape Shape = new(2, N / 2, N / 2, 4, 2, 16);

    /// <summary>For all checks.</summary>
    public static WorkspaceRequest Workspace { get; } = new(Shape, C, V);

    public static IReadOnlyList<(string Name, Func<ProbeMemory, float[]> Run)> All { get; } =
    [
        ("product, forward", LinearForward),
        ("product, input gradient", LinearInputGradient),
        ("product, weight gradient", LinearWeightGradient),
        ("RMSNorm", RmsNorm),
        ("SwiGLU, backward", SwiGlu),
        ("attention, forward", AttentionForward),
        ("attention, backward", AttentionBackward),
        ("cross-entropy", CrossEntropy),
        ("APOLLO projection", ApolloProject),
        ("INT8 update", ApplyUpdate),
    ];

    private static float[] LinearForward(ProbeMemory memory)
    {
        Tensor output = memory.EmptyActivation(N, O);
        memory.Device.LinearForward(memory.Activation(N, C, 1), memory.Weight(O, C, 2), output);
        return memory.Read(output);
    }

    private static float[] LinearInputGradient(ProbeMemory memory)
    {
        Tensor gradient = memory.EmptyActivation(N, C);
        memory.Device.LinearInputGradient(memory.Activation(N, O, 1), memory.Weight(O, C, 2), gradient, accumulate: false);
        return memory.Read(gradient);
    }

    private static float[] LinearWeightGradient(ProbeMemory memory)
    {
        Tensor gradient = memory.Empty(DType.F32, O, C);
        memory.Device.LinearWeightGradient(memory.Activation(N, O, 1), memory.Activation(N, C, 2), gradient, accumulate: false);
        return memory.Read(gradient);
    }

    private static float[] RmsNorm(ProbeMemory memory)
    {
        Tensor input = memory.Activation(N, C, 1), weight = memory.Values(DType.F32, 1, C, 2);
        Tensor output = memory.EmptyActivation(N, C), inverseRms = memory.Empty(DType.F32, 1, N);
        Tensor gradient = memory.EmptyActivation(N, C), weightGradient = memory.Empty(DType.F32, 1, C);
        memory.Device.RmsNormForward(input, weight, 1e-6f, output, inverseRms);
        memory.Device.RmsNormBackward(memory.Activation(N, C, 3), input, weight, inverseRms, gradient, false, weightGradient, false);
        return memory.Read(output, gradient, weightGradient);
    }

    private static float[] SwiGlu(ProbeMemory memory)
    {
        Tensor gateGradient = memory.EmptyActivation(N, O), upGradient = memory.EmptyActivation(N, O);
        memory.Device.SwiGluBackward(memory.Activation(N, O, 1), memory.Activation(N, O, 2), memory.Activation(N, O, 3), gateGradient, upGradient);
        return memory.Read(gateGradient, upGradient);
    }

    private static float[] AttentionForward(ProbeMemory memory)
    {
        Tensor output = memory.EmptyActivation(N, Shape.QueryColumns), logSumExp = memory.Empty(DType.F32, Shape.Heads, N);
        memory.Device.AttentionForward(
            memory.Activation(N, Shape.QueryColumns, 1), memory.Activation(N, Shape.KeyColumns, 2), memory.Activation(N, Shape.KeyColumns, 3), Shape, output, logSumExp);
        return memory.Read(output, logSumExp);
    }

    private static float[] AttentionBackward(ProbeMemory memory)
    {
        Tensor query = memory.Activation(N, Shape.QueryColumns, 1);
        Tensor key = memory.Activation(N, Shape.KeyColumns, 2), value = memory.Activation(N, Shape.KeyColumns, 3);
        Tensor output = memory.EmptyActivation(N, Shape.QueryColumns), logSumExp = memory.Empty(DType.F32, Shape.Heads, N);
        Tensor delta = memory.Empty(DType.F32, Shape.Heads, N), queryGradient = memory.EmptyActivation(N, Shape.QueryColumns);
        Tensor keyGradient = memory.EmptyActivation(N, Shape.KeyColumns), valueGradient = memory.EmptyActivation(N, Shape.KeyColumns);
        memory.Device.AttentionForward(query, key, value, Shape, output, logSumExp);
        memory.Device.AttentionBackward(
            query, key, value, output, logSumExp, memory.Activation(N, Shape.QueryColumns, 4), Shape, delta, queryGradient, keyGradient, valueGradient);
        return memory.Read(queryGradient, keyGradient, valueGradient);
    }

    private static float[] CrossEntropy(ProbeMemory memory)
    {
        Tensor logits = memory.Values(memory.Device.Profile.LogitDType, N, V, 1);
        Tensor labels = memory.Integers([.. Enumerable.Range(0, N).Select(i => i % 7 == 0 ? -100 : i * 5 % V)]);
        Tensor logSumExp = memory.Empty(DType.F32, 1, N), losses = memory.Empty(DType.F32, 1, N);
        memory.Device.CrossEntropyForward(logits, labels, logSumExp, losses);
        memory.Device.CrossEntropyBackward(logits, labels, logSumExp, firstColumn: 0, scale: 1f);
        return memory.Read(losses, logits);
    }

    private static float[] ApolloProject(ProbeMemory memory)
    {
        Tensor projected = memory.Empty(DType.F32, O, 1), squares = memory.Empty(DType.F32, 1, O);
        memory.Device.ApolloProject(memory.Values(DType.F32, O, C, 1), memory.Values(DType.F32, 1, C, 2), projected, squares);
        return memory.Read(projected, squares);
    }

    /// <summary>The change of the weights; the weights themselves would hide a wrong update.</summary>
    private static float[] ApplyUpdate(ProbeMemory memory)
    {
        WeightMatrix weight = memory.Weight(O, C, 1);
        Tensor before = memory.Empty(DType.F32, O, C), after = memory.Empty(DType.F32, O, C);
        Tensor coefficient = memory.Empty(DType.F32, 1, 1);
        memory.Device.Fill(coefficient, 0.05f);
        memory.Device.Dequantize(weight, before);
        memory.Device.ApplyUpdate(
            weight, memory.Values(DType.F32, O, C, 2), coefficient, ChannelAxis.None,
            new UpdateScalars(1, false, RoundingMode.LowDiscrepancy, RegridMode.WhenNeeded, 0, 1, 1, 1), memory.Zeros(DType.I64, 1, UpdateCounts.Length));
        memory.Device.Dequantize(weight, after);
        float[] old = memory.Read(before);
        return [.. memory.Read(after).Select((value, i) => value - old[i])];
    }
}
