using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>The three matrix products, weights in every stored form, with and without expansion.</summary>
public abstract class LinearContract : DeviceContract
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 1, 64, 32 }, { 3, 17, 5 }, { 12, 32, 64 }, { 17, 129, 33 }, { 48, 96, 96 }, { 50, 300, 67 },
        { 97, 257, 130 }, { 13, 1365, 31 }, { 100, 31, 341 }, { 5, 40, 5461 }, { 300, 20, 20 }, { 72, 176, 80 }, { 33, 128, 67 },
        { 66, 200, 104 }, { 20, 48, 16 }, { 130, 32, 160 }, { 100, 144, 48 }, { 161, 33, 21 },
        { 100, 72, 48 }, { 160, 24, 40 }, { 130, 64, 80 }, { 55, 31, 21 }, { 128, 33, 21 },
        { 40, 24, 168 }, { 5, 140, 1100 }, { 9, 230, 24 },
    };

    public static TheoryData<int, int, int, WeightForm, bool> WeightShapes
    {
        get
        {
            var data = new TheoryData<int, int, int, WeightForm, bool>();
            foreach (object[] shape in Shapes)
            {
                foreach (WeightForm form in WeightFormExtensions.OfProducts)
                {
                    data.Add((int)shape[0], (int)shape[1], (int)shape[2], form, false);
                    data.Add((int)shape[0], (int)shape[1], (int)shape[2], form, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(WeightShapes))]
    public void Forward_is_input_times_transposed_weight_plus_addend(int n, int c, int o, WeightForm form, bool expand)
    {
        var (x, weight, samples) = Setup(n, c, o, form);
        double[] w = Memory.Values(weight);
        if (expand)
        {
            weight = weight with { ForwardExpansion = Expand(weight, WeightUse.Forward) };
        }

        Tensor output = Memory.Activation(n, o);
        Device.LinearForward(x.Tensor, weight, output);
        AssertClose(output, LinearOracle.Forward(x.Values, w, n, c, o), Math.Sqrt(c), "x wᵀ");

        Operand addend = Memory.Activation(samples.Normals(n * o), n, o);
        double[] expected = LinearOracle.Forward(x.Values, w, n, c, o, addend.Values);
        Device.LinearForward(x.Tensor, weight, output, addend.Tensor);
        AssertClose(output, expected, Math.Sqrt(c), "x wᵀ + addend");
        // Rows of odd length: an addend that does not share the alignment of the output.
        Operand longer = Memory.Activation(samples.Normals((n + 1) * o), n + 1, o);
        Device.LinearForward(x.Tensor, weight, output, longer.Tensor.RowRange(1, n));
        AssertClose(output, LinearOracle.Forward(x.Values, w, n, c, o, longer.Values[o..]), Math.Sqrt(c), "x wᵀ + a part of a tensor");

        Device.LinearForward(x.Tensor, weight, addend.Tensor, addend.Tensor);
        AssertClose(addend.Tensor, expected, Math.Sqrt(c), "x wᵀ + addend in place");
    }

    [Theory]
    [MemberData(nameof(WeightShapes))]
    public void Input_gradient_is_output_gradient_times_weight(int n, int c, int o, WeightForm form, bool expand)
    {
        var (_, weight, samples) = Setup(n, c, o, form);
        double[] w = Memory.Values(weight);
        if (expand)
        {
            weight = weight with { InputGradientExpansion = Expand(weight, WeightUse.InputGradient) };
        }

        Operand dy = Memory.Activation(samples.Normals(n * o), n, o);
        Tensor dx = Memory.Activation(n, c);
        Memory.Write(dx, [.. Enumerable.Repeat(double.NaN, n * c)]);
        Device.LinearInputGradient(dy.Tensor, weight, dx, accumulate: false);
        AssertClose(dx, LinearOracle.InputGradient(dy.Values, w, n, c, o), Math.Sqrt(o), "dy w");

        double[] old = Memory.Read(dx);
        Device.LinearInputGradient(dy.Tensor, weight, dx, accumulate: true);
        AssertClose(dx, LinearOracle.InputGradient(dy.Values, w, n, c, o, old), Math.Sqrt(o), "dx + dy w");
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Weight_gradient_is_transposed_output_gradient_times_input(int n, int c, int o)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            var (x, _, samples) = Setup(n, c, o, WeightForm.F32);
            Operand dy = Memory.Activation(samples.Normals(n * o), n, o);
            Tensor dw = Memory.Zeros(dtype, o, c);
            Memory.Write(dw, [.. Enumerable.Repeat(double.NaN, o * c)]);
            Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw, accumulate: false);
            AssertClose(dw, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o), Math.Sqrt(n), $"dyᵀ x, {dtype}");

            double[] old = Memory.Read(dw);
            Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw, accumulate: true);
            AssertClose(dw, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o, old), Math.Sqrt(n), $"dw + dyᵀ x, {dtype}");
        }
    }

    /// <summary>Shapes for which the CUDA kernels take their large tiles: whole ones and their edges, rows aligned for vectors and not.</summary>
    public static TheoryData<int, int, int> LargeShapes => new()
    {
        { 130, 264, 136 }, { 130, 261, 139 }, { 130, 264, 139 }, { 130, 261, 136 }, { 257, 136, 260 }, { 256, 256, 384 },
        { 140, 272, 144 }, { 130, 272, 139 },
    };

    [Theory]
    [MemberData(nameof(LargeShapes))]
    public void Large_tiles_hold_for_all_three_products(int n, int c, int o)
    {
        var samples = new Samples(n + c + o);
        int width = Math.Max(c, o);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), width, width));
        Operand x = Memory.Activation(samples.Normals(n * c), n, c);
        Operand dy = Memory.Activation(samples.Normals(n * o), n, o);
        foreach (WeightForm form in WeightFormExtensions.OfProducts)
        {
            WeightMatrix weight = Memory.Weight(samples.Normals(o * c), o, c, form);
            double[] w = Memory.Values(weight);
            Operand y = Memory.Activation(samples.Normals(n * o), n, o);
            Device.LinearForward(x.Tensor, weight, y.Tensor, y.Tensor);
            AssertClose(y.Tensor, LinearOracle.Forward(x.Values, w, n, c, o, y.Values), Math.Sqrt(c), $"x wᵀ + addend, {form}");
            Device.LinearForward(x.Tensor, weight, y.Tensor);
            AssertClose(y.Tensor, LinearOracle.Forward(x.Values, w, n, c, o), Math.Sqrt(c), $"x wᵀ, {form}");

            Operand dx = Memory.Activation(samples.Normals(n * c), n, c);
            Device.LinearInputGradient(dy.Tensor, weight, dx.Tensor, accumulate: true);
            AssertClose(dx.Tensor, LinearOracle.InputGradient(dy.Values, w, n, c, o, dx.Values), Math.Sqrt(o), $"dx + dy w, {form}");
            Device.LinearInputGradient(dy.Tensor, weight, dx.Tensor, accumulate: false);
            AssertClose(dx.Tensor, LinearOracle.InputGradient(dy.Values, w, n, c, o), Math.Sqrt(o), $"dy w, {form}");
        }

        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Operand dw = Memory.Upload(samples.Normals(o * c), dtype, o, c);
            Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw.Tensor, accumulate: true);
            AssertClose(dw.Tensor, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o, dw.Values), Math.Sqrt(n), $"dw + dyᵀ x, {dtype}");
            Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw.Tensor, accumulate: false);
            AssertClose(dw.Tensor, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o), Math.Sqrt(n), $"dyᵀ x, {dtype}");
        }
    }

    /// <summary>A BF16 gradient is rounded once, however many tokens are summed.</summary>
    [Fact]
    public void Bfloat_weight_gradient_is_rounded_once()
    {
        const int Tokens = 700, Features = 33;
        var (x, _, samples) = Setup(Tokens, Features, Features, WeightForm.F32);
        Operand dy = Memory.Activation(samples.Normals(Tokens * Features), Tokens, Features);
        Tensor dw = Memory.Zeros(DType.BF16, Features, Features);
        Device.LinearWeightGradient(dy.Tensor, x.Tensor, dw, accumulate: false);
        double[] expected = LinearOracle.WeightGradient(dy.Values, x.Values, Tokens, Features, Features);
        Compare.AllClose(Memory.Floats(dw), expected, 1e-3, 1.0 / 256, "one rounding");
    }

    /// <summary>Products with an identity are the weight itself, each value rounded to BF16 once and to nearest even: sums would hide how.</summary>
    [Theory]
    [InlineData(64, 96)]
    [InlineData(67, 45)]
    public void A_weight_is_rounded_to_nearest(int o, int c)
    {
        var samples = new Samples(o + c);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, 96, 96, 1, 1, 2), 96, 96));
        foreach (WeightForm form in WeightFormExtensions.OfProducts)
        {
            WeightMatrix weight = Memory.Weight(samples.Normals(o * c), o, c, form);
            ushort[] expected = ToBfloat(Memory.Values(weight));
            Tensor transposed = Memory.Activation(c, o);
            Device.LinearForward(Memory.Activation(Identity(c), c, c).Tensor, weight, transposed);
            double[] y = Memory.Read(transposed);
            Assert.Equal(expected, ToBfloat([.. from i in Enumerable.Range(0, o) from j in Enumerable.Range(0, c) select y[j * o + i]]));

            Tensor dx = Memory.Activation(o, c);
            Device.LinearInputGradient(Memory.Activation(Identity(o), o, o).Tensor, weight, dx, accumulate: false);
            Assert.Equal(expected, ToBfloat(Memory.Read(dx)));
        }
    }

    /// <summary>Rows are of whole vectors, but one operand, addend or result after the other begins an element behind its memory.</summary>
    [Fact]
    public void Each_operand_may_begin_at_any_element()
    {
        const int N = 37, C = 48, O = 40;
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, N, N, 1, 1, 2), C, C));
        for (int moved = 0; moved < 4; moved++)
        {
            var place = new Place(moved, Memory.BehindAnElement);
            CheckWeightProducts(N, C, O, place);
            CheckWeightGradient(N, C, O, place);
        }
    }

    /// <summary>All operands end with their allocations: nothing behind them is read, by tiles that rows or columns end amid, nor by steps of K.</summary>
    [Theory]
    [InlineData(32, 69, 64)]
    [InlineData(5, 64, 67)]
    [InlineData(32, 80, 96)]
    public void Nothing_behind_an_operand_is_read(int n, int c, int o)
    {
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), Math.Max(c, o), Math.Max(c, o)));
        var place = new Place(Operand: null, Memory.AtEndOfAllocation);
        CheckWeightProducts(n, c, o, place);
        CheckWeightGradient(n, c, o, place);
    }

    /// <summary>Where a product's first operand (0), second one (1), result (2) and addend (3) stand.</summary>
    /// <param name="Operand">The one that is moved; null for all.</param>
    private sealed record Place(int? Operand, Func<Tensor, Tensor> Move)
    {
        public Tensor Of(int operand, Tensor tensor) => Operand is null || Operand == operand ? Move(tensor) : tensor;

        public WeightMatrix Of(int operand, in WeightMatrix weight) => weight.IsQuantized
            ? new WeightMatrix(Of(operand, weight.Values), Of(operand, weight.Scales), Of(operand, weight.ZeroPoints), weight.GroupSize)
            : new WeightMatrix(Of(operand, weight.Values));
    }

    private void CheckWeightProducts(int n, int c, int o, Place place)
    {
        foreach (WeightForm form in WeightFormExtensions.OfProducts)
        {
            var samples = new Samples(n + c + o);
            WeightMatrix weight = Memory.Weight(samples.Normals(o * c), o, c, form);
            double[] w = Memory.Values(weight);
            weight = place.Of(1, weight);
            Operand x = Memory.Activation(samples.Normals(n * c), n, c), dy = Memory.Activation(samples.Normals(n * o), n, o);
            Operand addend = Memory.Activation(samples.Normals(n * o), n, o), old = Memory.Activation(samples.Normals(n * c), n, c);
            Tensor y = place.Of(2, Memory.Activation(n, o)), dx = place.Of(2, old.Tensor);
            Device.LinearForward(place.Of(0, x.Tensor), weight, y, place.Of(3, addend.Tensor));
            AssertClose(y, LinearOracle.Forward(x.Values, w, n, c, o, addend.Values), Math.Sqrt(c), $"x wᵀ + addend, {form}, {place.Operand}");
            Device.LinearInputGradient(place.Of(0, dy.Tensor), weight, dx, accumulate: true);
            AssertClose(dx, LinearOracle.InputGradient(dy.Values, w, n, c, o, old.Values), Math.Sqrt(o), $"dx + dy w, {form}, {place.Operand}");
        }
    }

    private void CheckWeightGradient(int n, int c, int o, Place place)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            var samples = new Samples(n + c + o);
            Operand x = Memory.Activation(samples.Normals(n * c), n, c), dy = Memory.Activation(samples.Normals(n * o), n, o);
            Operand old = Memory.Upload(samples.Normals(o * c), dtype, o, c);
            Tensor dw = place.Of(2, old.Tensor);
            Device.LinearWeightGradient(place.Of(0, dy.Tensor), place.Of(1, x.Tensor), dw, accumulate: true);
            AssertClose(dw, LinearOracle.WeightGradient(dy.Values, x.Values, n, c, o, old.Values), Math.Sqrt(n), $"dw + dyᵀ x, {dtype}, {place.Operand}");
        }
    }

    private static double[] Identity(int size) => [.. Enumerable.Range(0, size * size).Select(i => i / size == i % size ? 1.0 : 0.0)];

    /// <summary>A zero is a zero: products may lose its sign.</summary>
    private static ushort[] ToBfloat(double[] values) => Array.ConvertAll(values, value => value == 0 ? (ushort)0 : BFloat.FromSingle((float)value));

    private (Operand Input, WeightMatrix Weight, Samples Samples) Setup(int n, int c, int o, WeightForm form)
    {
        var samples = new Samples(n * 31 + c * 7 + o);
        int width = Math.Max(c, o);
        Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, n, n, 1, 1, 2), width, width));
        Operand x = Memory.Activation(samples.Normals(n * c), n, c);
        return (x, Memory.Weight(samples.Normals(o * c), o, c, form), samples);
    }

    private Tensor Expand(in WeightMatrix weight, WeightUse use)
    {
        long bytes = Device.Profile.ExpandedWeightBytes(weight.OutFeatures, weight.InFeatures, use);
        if (bytes == 0)
        {
            return default;
        }

        Tensor expansion = Memory.Zeros(DType.U8, 1, checked((int)bytes));
        Tensor guard = Memory.Zeros(DType.U8, 1, 256);
        Device.ExpandWeight(weight, use, expansion);
        Assert.All(Memory.Bytes(guard), b => Assert.Equal(0, b));
        return expansion;
    }
}
