using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>RMSNorm and its reverse, all promised overlaps.</summary>
public abstract class NormContract : DeviceContract
{
    private const float Epsilon = 1e-6f;

    public static TheoryData<int, int> Shapes => new()
    {
        // Rows that a warp or a part of it may hold, and more of them than a grid may take at once.
        { 1, 1 }, { 3, 17 }, { 700, 20 }, { 31, 42 }, { 17, 64 }, { 21, 65 }, { 37, 76 }, { 33, 100 }, { 50, 126 }, { 65, 128 }, { 23, 132 },
        { 30, 190 }, { 29, 191 }, { 27, 254 }, { 40, 255 }, { 41, 256 }, { 19, 257 }, { 21, 260 }, { 130, 344 }, { 20, 512 }, { 16_400, 8 }, { 2100, 126 },

        // Longer ones.
        { 9, 513 }, { 12, 516 }, { 10, 1024 }, { 9, 4096 }, { 5, 4099 }, { 33, 2052 }, { 4, 2063 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_scales_rows_to_unit_mean_square(int n, int h)
    {
        var samples = new Samples(n + h);
        Operand x = Memory.Activation(samples.Normals(n * h, 3), n, h);
        Operand weight = Memory.Upload(samples.Normals(h), DType.F32, 1, h);
        // Odd rows stand at another alignment than those of x.
        Tensor output = Memory.Activation(n + 1, h).RowRange(1, n);
        Tensor inverseRms = Memory.Zeros(DType.F32, 1, n);
        var (expected, inverse) = RmsNormOracle.Forward(x.Values, weight.Values, Epsilon, n);
        Device.RmsNormForward(x.Tensor, weight.Tensor, Epsilon, output, inverseRms);
        AssertClose(output, expected, 1e-3, "output");
        Compare.AllClose(Memory.Floats(inverseRms), inverse, 0, 1e-6, "1 / rms");

        Device.RmsNormForward(x.Tensor, weight.Tensor, Epsilon, x.Tensor, inverseRms);
        AssertClose(x.Tensor, expected, 1e-3, "output in place");
    }

    /// <summary>Values whose mean square is that of epsilon.</summary>
    [Theory]
    [InlineData(33)]
    [InlineData(64)]
    public void Forward_adds_epsilon_to_the_mean_square(int h)
    {
        Operand x = Memory.Activation(new Samples(h).Normals(2 * h, Math.Sqrt(Epsilon)), 2, h);
        Operand weight = Memory.Upload(new Samples(1).Normals(h), DType.F32, 1, h);
        Tensor inverseRms = Memory.Zeros(DType.F32, 1, 2);
        var (expected, inverse) = RmsNormOracle.Forward(x.Values, weight.Values, Epsilon, 2);
        Device.RmsNormForward(x.Tensor, weight.Tensor, Epsilon, x.Tensor, inverseRms);
        AssertClose(x.Tensor, expected, 1e-3, "output");
        Compare.AllClose(Memory.Floats(inverseRms), inverse, 0, 1e-6, "1 / rms");
    }

    [Theory]
    [InlineData(33)]
    [InlineData(64)]
    public void Forward_of_a_zero_row_is_zero(int h)
    {
        Tensor x = Memory.Activation(2, h);
        Operand weight = Memory.Upload(new Samples(1).Normals(h), DType.F32, 1, h);
        Tensor inverseRms = Memory.Zeros(DType.F32, 1, 2);
        Device.RmsNormForward(x, weight.Tensor, Epsilon, x, inverseRms);
        Assert.All(Memory.Floats(x), v => Assert.Equal(0f, v));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_is_the_gradient(int n, int h)
    {
        var samples = new Samples(n + h);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), h, h));
        Operand x = BehindARow(samples.Normals((n + 1) * h, 3), n, h);
        Operand weight = Memory.Upload(samples.Normals(h), DType.F32, 1, h);
        Operand dy = Memory.Activation(samples.Normals(n * h), n, h);
        Tensor output = Memory.Activation(n, h);
        Tensor inverse = Memory.Zeros(DType.F32, 1, n);
        Device.RmsNormForward(x.Tensor, weight.Tensor, Epsilon, output, inverse);
        double[] r = Memory.Read(inverse);
        Operand dx = BehindARow(samples.Normals((n + 1) * h), n, h);
        Operand dw = Memory.Upload(samples.Normals(h), DType.F32, 1, h);

        var (expectedInput, expectedWeight) = RmsNormOracle.Backward(dy.Values, x.Values, weight.Values, r, dx.Values, dw.Values);
        Device.RmsNormBackward(dy.Tensor, x.Tensor, weight.Tensor, inverse, dx.Tensor, true, dw.Tensor, true);
        AssertClose(dx.Tensor, expectedInput, 1, "dx, accumulated");
        AssertClose(dw.Tensor, expectedWeight, Math.Sqrt(n), "dweight, accumulated");

        Operand aligned = Memory.Activation(x.Values, n, h);
        (expectedInput, expectedWeight) = RmsNormOracle.Backward(dy.Values, x.Values, weight.Values, r);
        Device.RmsNormBackward(dy.Tensor, aligned.Tensor, weight.Tensor, inverse, dy.Tensor, false, dw.Tensor, false);
        AssertClose(dy.Tensor, expectedInput, 1, "dx in the place of dy");
        AssertClose(dw.Tensor, expectedWeight, Math.Sqrt(n), "dweight");
    }

    /// <summary>All tensors begin an element behind their memory: rows of even lengths at odd places too.</summary>
    [Theory]
    [InlineData(9, 42)]
    [InlineData(5, 126)]
    [InlineData(6, 190)]
    [InlineData(9, 256)]
    [InlineData(4, 264)]
    [InlineData(3, 1030)]
    public void Rows_may_begin_at_any_element(int n, int h)
    {
        var samples = new Samples(n + h);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), h, h));
        DType dtype = Device.Profile.ActivationDType;
        Operand x = BehindAnElement(samples.Normals(n * h, 3), dtype, n, h), dy = BehindAnElement(samples.Normals(n * h), dtype, n, h);
        Operand weight = BehindAnElement(samples.Normals(h), DType.F32, 1, h), dw = BehindAnElement(samples.Normals(h), DType.F32, 1, h);
        Operand output = BehindAnElement(new double[n * h], dtype, n, h), dx = BehindAnElement(samples.Normals(n * h), dtype, n, h);
        Tensor inverse = BehindAnElement(new double[n], DType.F32, 1, n).Tensor;
        var (expected, expectedInverse) = RmsNormOracle.Forward(x.Values, weight.Values, Epsilon, n);
        Device.RmsNormForward(x.Tensor, weight.Tensor, Epsilon, output.Tensor, inverse);
        AssertClose(output.Tensor, expected, 1e-3, "output");
        Compare.AllClose(Memory.Floats(inverse), expectedInverse, 0, 1e-6, "1 / rms");

        var (expectedInput, expectedWeight) = RmsNormOracle.Backward(dy.Values, x.Values, weight.Values, Memory.Read(inverse), dx.Values, dw.Values);
        Device.RmsNormBackward(dy.Tensor, x.Tensor, weight.Tensor, inverse, dx.Tensor, true, dw.Tensor, true);
        AssertClose(dx.Tensor, expectedInput, 1, "dx");
        AssertClose(dw.Tensor, expectedWeight, Math.Sqrt(n), "dweight");
    }

    /// <summary>Rows are of whole vectors, but one tensor after the other begins an element behind its memory.</summary>
    [Theory]
    [InlineData(9, 64)]
    [InlineData(5, 1024)]
    public void Each_tensor_may_begin_at_any_element(int n, int h)
    {
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), h, h));
        for (int moved = 0; moved < 5; moved++)
        {
            Tensor Place(int tensor, Tensor aligned) => tensor == moved ? Memory.BehindAnElement(aligned) : aligned;

            var samples = new Samples(n + h);
            Operand x = Memory.Activation(samples.Normals(n * h, 3), n, h), dy = Memory.Activation(samples.Normals(n * h), n, h);
            Operand weight = Memory.Upload(samples.Normals(h), DType.F32, 1, h), old = Memory.Activation(samples.Normals(n * h), n, h);
            Tensor input = Place(0, x.Tensor), gain = Place(1, weight.Tensor), output = Place(2, Memory.Activation(n, h));
            Tensor inverse = Memory.Zeros(DType.F32, 1, n), dx = Place(2, old.Tensor), dw = Place(4, Memory.Zeros(DType.F32, 1, h));
            Device.RmsNormForward(input, gain, Epsilon, output, inverse);
            AssertClose(output, RmsNormOracle.Forward(x.Values, weight.Values, Epsilon, n).Output, 1e-3, $"output, {moved}");

            var (expectedInput, expectedWeight) = RmsNormOracle.Backward(dy.Values, x.Values, weight.Values, Memory.Read(inverse), old.Values);
            Device.RmsNormBackward(Place(3, dy.Tensor), input, gain, inverse, dx, true, dw, false);
            AssertClose(dx, expectedInput, 1, $"dx, {moved}");
            AssertClose(dw, expectedWeight, Math.Sqrt(n), $"dweight, {moved}");
        }
    }

    private Operand BehindAnElement(double[] values, DType dtype, int rows, int columns)
    {
        Operand aligned = Memory.Upload(values, dtype, rows, columns);
        return aligned with { Tensor = Memory.BehindAnElement(aligned.Tensor) };
    }

    /// <summary>The last n rows of n + 1: where they are odd, they stand at another alignment than tensors that begin with a row.</summary>
    private Operand BehindARow(double[] values, int n, int h)
    {
        Operand all = Memory.Activation(values, n + 1, h);
        return new Operand(all.Tensor.RowRange(1, n), all.Values[h..]);
    }
}
