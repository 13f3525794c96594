using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>A bias added to every row, and its gradient.</summary>
public abstract class BiasContract : DeviceContract
{
    public static TheoryData<int, int> Shapes => new() { { 1, 1 }, { 3, 17 }, { 65, 128 }, { 700, 20 }, { 1, 4864 }, { 9, 5461 }, { 1030, 1024 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Bias_is_added_to_every_row(int n, int o)
    {
        var samples = new Samples(n + o);
        Operand y = Memory.Activation(samples.Normals(n * o, 3), n, o);
        Operand bias = Memory.Upload(samples.Normals(o), DType.F32, 1, o);
        Device.AddBias(y.Tensor, bias.Tensor);
        AssertClose(y.Tensor, BiasOracle.Add(y.Values, bias.Values), 1e-3, "y");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Gradient_of_a_bias_is_the_sum_over_rows(int n, int o)
    {
        var samples = new Samples(n + o);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), o, o));
        Operand dy = Memory.Activation(samples.Normals(n * o), n, o);
        Operand gradient = Memory.Upload(samples.Normals(o), DType.F32, 1, o);
        Device.BiasGradient(dy.Tensor, gradient.Tensor, accumulate: true);
        Check(gradient.Tensor, BiasOracle.Gradient(dy.Values, o, gradient.Values), "accumulated");
        Device.BiasGradient(dy.Tensor, gradient.Tensor, accumulate: false);
        Check(gradient.Tensor, BiasOracle.Gradient(dy.Values, o), "set");

        // The operands are exact and sums are kept in binary32: the bound is that of binary32 on every device.
        void Check(Tensor actual, double[] expected, string what) =>
            Compare.AllClose(Memory.Floats(actual), expected, 4e-6 * Math.Sqrt(n), 4e-6, what);
    }
}
