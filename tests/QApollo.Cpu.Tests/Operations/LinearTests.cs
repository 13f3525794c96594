using QApollo.Cpu.Gemm;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cpu.Tests.Operations;

public sealed class LinearTests
{
    /// <summary>A weight as deep as a vocabulary does not fit the workspace at once.</summary>
    [Theory]
    [InlineData(WeightForm.F32, 4)]
    [InlineData(WeightForm.F32, 6)]
    [InlineData(WeightForm.F32, 12)]
    [InlineData(WeightForm.Int8By128, 12)]
    public void An_input_gradient_in_slices_of_the_depth_has_the_bytes_of_one_in_one_piece(WeightForm form, int kernelRows)
    {
        const int N = 5, C = 300, O = 7001;
        Microkernel[] kernels = [Microkernel.Portable, Microkernel.Avx2, Microkernel.Avx512];
        using var device = new CpuDevice(2, kernels.Single(kernel => kernel.Rows == kernelRows));
        using var memory = new DeviceMemory(device);
        var samples = new Samples(1);
        memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, N, N, 1, 1, 2), C, C));
        WeightMatrix weight = memory.Weight(samples.Normals(O * C), O, C, form);
        Tensor dy = memory.Activation(samples.Normals(N * O), N, O).Tensor;
        Tensor sliced = memory.Activation(N, C), whole = memory.Activation(N, C);
        Tensor expansion = memory.Zeros(DType.U8, 1, (int)device.Profile.ExpandedWeightBytes(O, C, WeightUse.InputGradient));
        device.ExpandWeight(weight, WeightUse.InputGradient, expansion);
        foreach (bool accumulate in (bool[])[false, true])
        {
            device.LinearInputGradient(dy, weight, sliced, accumulate);
            device.LinearInputGradient(dy, weight with { InputGradientExpansion = expansion }, whole, accumulate);
            Assert.Equal(memory.Bytes(whole), memory.Bytes(sliced));
        }
    }
}
