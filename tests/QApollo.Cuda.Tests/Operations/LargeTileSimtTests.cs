using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.Cuda.Tests.Operations;

/// <summary>Shapes for which the products take their tiles of 128, rows aligned for asynchronous copies and not.</summary>
public sealed class LargeTileSimtTests : DeviceContract
{
    protected override IDevice Device { get; } = SimtLibrary.For<LargeTileSimtTests>();

    [Theory]
    [InlineData(130, 264, 136)]
    [InlineData(130, 261, 139)]
    public void All_three_products(int n, int c, int o)
    {
        var samples = new Samples(n + c + o);
        Operand x = Memory.Activation(samples.Normals(n * c), n, c);
        Operand dy = Memory.Activation(samples.Normals(n * o), n, o);
        foreach (WeightForm form in WeightFormExtensions.OfProducts)
        {
            WeightMatrix weight = Memory.Weight(samples.Normals(o * c), o, c, form);
            double[] w = Memory.Values(weight);
            Tensor y = Memory.Activation(n, o);
            Tensor dx = Memory.Activation(n, c);
            Device.LinearForward(x.Tensor, weight, y);
            Device.LinearInputGradient(dy.Tensor, weight, dx, accumulate: false);
            AssertClose(y, LinearOracle.Forward(x.Values, w, n, c, o), Math.Sqrt(c), $"x wᵀ, {form}");
            AssertClose(dx, LinearOracle.InputGradient(dy.Values, w, n, c, o), Math.Sqrt(o), $"dy w, {form}");
        }

        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Tensor dw = Memory.Zeros(dtype, o, c);
            Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw, accumulate: false);
            AssertClose(dw, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o), Math.Sqrt(n), $"dyᵀ x, {dtype}");
        }
    }
}
