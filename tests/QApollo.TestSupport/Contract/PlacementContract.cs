using QApollo.Devices;
using QApollo.Quantization;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>
/// Operations on tensors whose rows are whole vectors, of which one after the other begins an element behind its memory: what they leave is what
/// they leave of aligned ones. Products, norms and Adam have such cases beside their oracles.
/// </summary>
public abstract class PlacementContract : DeviceContract
{
    private const int Rows = 6;
    private const int Columns = 64;

    private readonly Samples _samples = new(11);

    [Fact]
    public void SwiGlu_forward() => Check([Activation(), Activation(), Activation()], t => Device.SwiGluForward(t[0], t[1], t[2]));

    [Fact]
    public void SwiGlu_backward() =>
        Check([Activation(), Activation(), Activation(), Activation(), Activation()], t => Device.SwiGluBackward(t[0], t[1], t[2], t[3], t[4]));

    [Fact]
    public void Bias() => Check([Activation(), Floats(1, Columns)], t => Device.AddBias(t[0], t[1]));

    [Fact]
    public void Bias_gradient()
    {
        UseWorkspace();
        Check([Activation(), Floats(1, Columns)], t => Device.BiasGradient(t[0], t[1], accumulate: true));
    }

    [Fact]
    public void Rotary() =>
        Check([Activation(), Floats(Rows, 8), Floats(Rows, 8)], t => Device.RotaryEmbedding(t[0], t[1], t[2], Rows, 0, inverse: false));

    /// <summary>As many columns as a block of CUDA's kernel takes: moved by an element, the row reaches into another block.</summary>
    [Fact]
    public void Cross_entropy()
    {
        const int Vocabulary = 2048;
        Tensor labels = Memory.Upload(_samples.Integers(Rows, 0, Vocabulary)), losses = Memory.Zeros(DType.F32, 1, Rows);
        Check([Upload(Device.Profile.LogitDType, Rows, Vocabulary), Floats(1, Rows)], t =>
        {
            Device.CrossEntropyForward(t[0], labels, t[1], losses);
            Device.CrossEntropyBackward(t[0], labels, t[1], 0, 0.5f);
        });
    }

    [Theory]
    [InlineData(WeightForm.F32)]
    [InlineData(WeightForm.BF16)]
    [InlineData(WeightForm.Int8By32)]
    public void Embedding(WeightForm form)
    {
        Tensor tokens = Memory.Upload(_samples.Integers(Rows, 0, Rows));
        Check([Activation(), .. Weight(form)], t => Device.EmbeddingForward(WeightOf(t[1..], form), tokens, t[0]));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Embedding_backward(DType gradients)
    {
        TokenIndex index = EmbeddingContract.Index(Memory, _samples.Integers(Rows, 0, Rows), 0, Rows);
        Check([Activation(), Upload(gradients, Rows, Columns)], t => Device.EmbeddingBackward(t[0], index, 0, t[1]));
    }

    [Fact]
    public void Conversion_and_filling() => Check([Floats(Rows, Columns), Upload(DType.BF16, Rows, Columns), Floats(Rows, Columns), Upload(DType.BF16, Rows, Columns)], t =>
    {
        Device.Copy(t[0], t[1]);
        Device.Copy(t[1], t[2]);
        Device.Fill(t[0], 3);
        Device.Fill(t[3], 3);
    });

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Sums(DType dtype)
    {
        UseWorkspace();
        Check([Upload(dtype, Rows, Columns), Floats(Rows, Columns), Floats(1, 1)], t =>
        {
            Device.AccumulateSumOfSquares(t[0], t[2]);
            Device.AccumulateSum(t[1], t[2]);
        });
    }

    [Fact]
    public void Row_codes() => Check([Activation(), Memory.Zeros(DType.U8, Rows, Columns), Floats(1, Rows), Activation()], t =>
    {
        Device.QuantizeRows(t[0], new RandomStream(1, RandomPurpose.BoundaryRounding, 2, 3), 0, t[1], t[2]);
        Device.DequantizeRows(t[1], t[2], t[3]);
    });

    [Theory]
    [InlineData(WeightForm.F32)]
    [InlineData(WeightForm.BF16)]
    [InlineData(WeightForm.Int8By32)]
    [InlineData(WeightForm.Int8By128Plus4)]
    public void Quantization(WeightForm form) => Check([Floats(Rows, Columns), Floats(Rows, Columns), .. Weight(form)], t =>
    {
        Device.Quantize(t[0], WeightOf(t[2..], form));
        Device.Dequantize(WeightOf(t[2..], form), t[1]);
    });

    [Theory]
    [InlineData(WeightForm.F32, DType.F32)]
    [InlineData(WeightForm.BF16, DType.BF16)]
    [InlineData(WeightForm.Int8By32, DType.F32)]
    [InlineData(WeightForm.Int8By128Plus4, DType.BF16)]
    public void Update(WeightForm form, DType gradients)
    {
        var scalars = new UpdateScalars(0.99f, false, RoundingMode.Stochastic, RegridMode.WhenNeeded, FirstRow: 1, Seed: 2, Parameter: 3, Step: 4);
        Tensor counts = Memory.Counts();
        Check([Upload(gradients, Rows, Columns), Floats(1, Rows), .. Weight(form)], t =>
            Device.ApplyUpdate(WeightOf(t[2..], form), t[0], t[1], ChannelAxis.Rows, scalars, counts));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Normalization(DType dtype)
    {
        UseWorkspace();
        Check([Upload(dtype, Rows, Columns), Floats(1, Rows), Floats(1, Columns), Floats(Rows, Columns)], t =>
        {
            Device.SumSquares(t[0], ChannelAxis.Rows, t[2], t[1]);
            Device.SumSquares(t[0], ChannelAxis.Columns, t[1], t[2]);
            Device.ScaleRows(t[0], t[1]);
            Device.Average(t[0], 0.9f, 0.1f, t[3]);
        });
    }

    private void Check(Tensor[] operands, Action<Tensor[]> operation)
    {
        byte[][] before = [.. operands.Select(Memory.Bytes)];
        operation(operands);
        double[][] expected = [.. operands.Select(Values)];
        for (int moved = 0; moved < operands.Length; moved++)
        {
            for (int i = 0; i < operands.Length; i++)
            {
                Device.Upload(before[i], operands[i]);
            }

            Tensor[] placed = [.. operands];
            placed[moved] = Memory.BehindAnElement(operands[moved]);
            operation(placed);
            for (int i = 0; i < operands.Length; i++)
            {
                // Sums may be taken in another order.
                double relative = operands[i].DType == DType.BF16 ? 1.0 / 128 : 4e-6;
                Compare.AllClose(Values(placed[i]), expected[i], expected[i].Max(Math.Abs) * relative, relative, $"operand {i} where {moved} is moved");
            }
        }
    }

    private double[] Values(Tensor tensor) => tensor.DType == DType.U8 ? Array.ConvertAll(Memory.Bytes(tensor), code => (double)code) : Memory.Read(tensor);

    private Tensor Activation() => Upload(Device.Profile.ActivationDType, Rows, Columns);

    private Tensor Floats(int rows, int columns) => Upload(DType.F32, rows, columns);

    private Tensor Upload(DType dtype, int rows, int columns) => Memory.Upload(_samples.Normals(rows * columns), dtype, rows, columns).Tensor;

    private Tensor[] Weight(WeightForm form)
    {
        WeightMatrix weight = Memory.Weight(_samples.Normals(Rows * Columns), Rows, Columns, form);
        Tensor[] all = [weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals];
        return [.. all.Where(tensor => !tensor.IsAbsent)];
    }

    private static WeightMatrix WeightOf(Tensor[] tensors, WeightForm form) => tensors.Length == 1
        ? new WeightMatrix(tensors[0])
        : new WeightMatrix(tensors[0], tensors[1], tensors[2], form.GroupSize()) { Residuals = tensors.Length == 4 ? tensors[3] : default };

    private void UseWorkspace() => Memory.UseWorkspace(new WorkspaceRequest(new AttentionShape(1, Rows, Rows, 1, 1, 2), Columns, Columns));
}
