using QApollo.Cpu.Gemm;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests.Operations;

public sealed class LinearTests
{
    /// <summary>A weight that was not expanded is packed pass by pass of the depth, by several threads that wait for each other.</summary>
    [Theory]
    [InlineData(WeightForm.F32, 4)]
    [InlineData(WeightForm.F32, 6)]
    [InlineData(WeightForm.F32, 12)]
    [InlineData(WeightForm.Int8By128, 12)]
    public void An_input_gradient_has_the_same_bytes_whether_the_weight_was_expanded_or_not(WeightForm form, int kernelRows)
    {
        const int N = 5, C = 300, O = 7001;
        using var device = new CpuDevice(2, Kernel(kernelRows));
        using var memory = new DeviceMemory(device);
        var samples = new Samples(1);
        memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, N, N, 1, 1, 2), C, C));
        WeightMatrix weight = memory.Weight(samples.Normals(O * C), O, C, form);
        Tensor dy = memory.Activation(samples.Normals(N * O), N, O).Tensor;
        Tensor packing = memory.Activation(N, C), expanded = memory.Activation(N, C);
        Tensor expansion = memory.Zeros(DType.U8, 1, (int)device.Profile.ExpandedWeightBytes(O, C, WeightUse.InputGradient));
        device.ExpandWeight(weight, WeightUse.InputGradient, expansion);
        foreach (bool accumulate in (bool[])[false, true])
        {
            device.LinearInputGradient(dy, weight, packing, accumulate);
            device.LinearInputGradient(dy, weight with { InputGradientExpansion = expansion }, expanded, accumulate);
            Assert.Equal(memory.Bytes(expanded), memory.Bytes(packing));
        }
    }

    /// <summary>More rows, columns and passes than a block of results has, none of them a multiple of anything.</summary>
    [Theory]
    [InlineData(DType.F32, 4)]
    [InlineData(DType.F32, 6)]
    [InlineData(DType.F32, 12)]
    [InlineData(DType.BF16, 12)]
    public void A_weight_gradient_has_the_same_bytes_for_any_number_of_threads(DType type, int kernelRows)
    {
        const int N = 301, C = 733, O = 979;
        byte[][] results = [.. ((int[])[1, 2, 3, 8]).Select(threads =>
        {
            using var device = new CpuDevice(threads, Kernel(kernelRows));
            using var memory = new DeviceMemory(device);
            var samples = new Samples(1);
            memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, N, N, 1, 1, 2), C, C));
            Tensor dy = memory.Activation(samples.Normals(N * O), N, O).Tensor, x = memory.Activation(samples.Normals(N * C), N, C).Tensor;
            Tensor gradient = memory.Zeros(type, O, C);
            device.LinearWeightGradient(dy, x, gradient, accumulate: false);
            device.LinearWeightGradient(dy, x, gradient, accumulate: true);
            return memory.Bytes(gradient);
        })];
        Assert.All(results, result => Assert.Equal(results[0], result));
        Assert.Contains(results[0], value => value != 0);
    }

    /// <summary>So many blocks of columns that the last one lacks a strip, and further blocks of rows after it.</summary>
    [Fact]
    public void A_forward_product_with_empty_strips_has_the_bytes_of_one_with_an_expanded_weight()
    {
        const int N = 1000, C = 8, O = 11000;
        using var device = new CpuDevice(8, Microkernel.Best);
        using var memory = new DeviceMemory(device);
        var samples = new Samples(1);
        memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, N, N, 1, 1, 2), C, O));
        WeightMatrix weight = memory.Weight(samples.Normals(O * C), O, C, WeightForm.F32);
        Tensor x = memory.Activation(samples.Normals(N * C), N, C).Tensor;
        Tensor packing = memory.Activation(N, O), expanded = memory.Activation(N, O);
        Tensor expansion = memory.Zeros(DType.U8, 1, (int)device.Profile.ExpandedWeightBytes(O, C, WeightUse.Forward));
        device.ExpandWeight(weight, WeightUse.Forward, expansion);
        device.LinearForward(x, weight, packing);
        device.LinearForward(x, weight with { ForwardExpansion = expansion }, expanded);
        Assert.True(memory.Bytes(expanded).AsSpan().SequenceEqual(memory.Bytes(packing)));
    }

    private static Microkernel Kernel(int rows) =>
        ((Microkernel[])[Microkernel.Portable, Microkernel.Avx2, Microkernel.Avx512]).Single(kernel => kernel.Rows == rows);
}
