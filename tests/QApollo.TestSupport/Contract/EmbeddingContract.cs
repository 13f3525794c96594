using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Table look-up and its reverse, tables in every stored form.</summary>
public abstract class EmbeddingContract : DeviceContract
{
    public static TheoryData<int, int, int, WeightForm> Shapes
    {
        get
        {
            var data = new TheoryData<int, int, int, WeightForm>();
            foreach (WeightForm form in WeightFormExtensions.OfProducts)
            {
                data.Add(1, 1, 1, form);
                data.Add(7, 5, 17, form);
                data.Add(257, 100, 129, form);
                data.Add(50, 300, 600, form);
                data.Add(20, 12, 1047, form);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_copies_rows(int vocabulary, int n, int h, WeightForm form)
    {
        var samples = new Samples(vocabulary + n);
        WeightMatrix table = Memory.Weight(samples.Normals(vocabulary * h), vocabulary, h, form);
        int[] tokens = samples.Integers(n, 0, vocabulary);
        Tensor output = Memory.Activation(n, h);
        Device.EmbeddingForward(table, Memory.Upload(tokens), output);
        double relative = Device.Profile.ActivationDType == DType.F32 ? 6e-8 : 1.0 / 256;
        Compare.AllClose(Memory.Floats(output), EmbeddingOracle.Forward(Memory.Values(table), tokens, h), 0, relative, "rows");
    }

    [Theory]
    [InlineData(1, 1, 1, 0, 1)]
    [InlineData(9, 40, 17, 0, 9)]
    [InlineData(100, 300, 129, 30, 41)]
    [InlineData(40, 500, 1030, 7, 1)]
    [InlineData(20, 60, 2048, 0, 20)]
    [InlineData(20, 60, 1047, 3, 9)]
    [InlineData(30, 80, 264, 11, 13)]
    public void Backward_adds_rows_of_the_same_token(int vocabulary, int n, int h, int firstRow, int rows)
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            var samples = new Samples(vocabulary + n);
            Operand dy = Memory.Activation(samples.Normals(n * h), n, h);
            int[] tokens = samples.Integers(n, 0, vocabulary);
            Operand gradient = Memory.Upload(samples.Normals(rows * h), dtype, rows, h);
            Device.EmbeddingBackward(dy.Tensor, Index(Memory, tokens, firstRow, rows), firstRow, gradient.Tensor);
            double[] expected = EmbeddingOracle.Backward(dy.Values, tokens, h, firstRow, gradient.Values);
            AssertClose(gradient.Tensor, expected, 3, $"table gradient, {dtype}");
        }
    }

    /// <summary>The positions of tokens firstRow .. firstRow + rows - 1, by token.</summary>
    public static TokenIndex Index(DeviceMemory memory, int[] tokens, int firstRow, int rows)
    {
        int[] distinct = [.. tokens.Distinct().Order()];
        int[] positions = [.. Enumerable.Range(0, tokens.Length).OrderBy(i => tokens[i]).ThenBy(i => i)];
        int[] starts = [.. distinct.Select(t => tokens.Count(other => other < t)), tokens.Length];
        int first = distinct.Count(t => t < firstRow);
        int count = distinct.Count(t => t >= firstRow && t < firstRow + rows);
        return new TokenIndex(memory.Upload(distinct), memory.Upload(starts), memory.Upload(positions), first, count);
    }
}
