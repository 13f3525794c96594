using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Rotary position embedding.</summary>
public abstract class RotaryContract : DeviceContract
{
    [Theory]
    [InlineData(1, 1, 1, 2, 0)]
    [InlineData(2, 5, 3, 8, 0)]
    [InlineData(1, 3, 2, 10, 7)]
    [InlineData(3, 33, 4, 48, 0)]
    [InlineData(1, 1, 4, 64, 100)]
    [InlineData(2, 64, 1, 128, 0)]
    public void Rotates_each_head_by_its_position(int batch, int length, int heads, int headDim, int firstPosition)
    {
        var samples = new Samples(headDim + length);
        int rows = batch * length;
        int columns = heads * headDim;
        var (cosine, sine) = RotaryOracle.Table(firstPosition + length, headDim);
        Operand c = Memory.Upload(cosine, DType.F32, firstPosition + length, headDim / 2);
        Operand s = Memory.Upload(sine, DType.F32, firstPosition + length, headDim / 2);
        Operand x = Memory.Activation(samples.Normals(rows * columns), rows, columns);
        foreach (bool inverse in (bool[])[false, true])
        {
            double[] before = Memory.Read(x.Tensor);
            Device.RotaryEmbedding(x.Tensor, c.Tensor, s.Tensor, length, firstPosition, inverse);
            double[] expected = RotaryOracle.Rotate(before, c.Values, s.Values, rows, headDim / 2, length, firstPosition, inverse);
            AssertClose(x.Tensor, expected, 1, inverse ? "rotated back" : "rotated");
        }

        AssertClose(x.Tensor, x.Values, 4, "there and back");
    }

    [Theory]
    [InlineData(1, 1, 1, 2, DocumentCut.EveryToken)]
    [InlineData(2, 40, 3, 8, DocumentCut.Random)]
    [InlineData(3, 33, 4, 48, DocumentCut.AfterTiles)]
    [InlineData(2, 64, 1, 10, DocumentCut.Random)]
    public void Positions_count_from_the_document_start(int batch, int length, int heads, int headDim, DocumentCut cut)
    {
        int rows = batch * length;
        int columns = heads * headDim;
        int[] starts = DocumentCuts.Starts(cut, batch, length);
        Tensor documentStarts = Memory.Upload(starts);
        var (cosine, sine) = RotaryOracle.Table(length, headDim);
        Operand c = Memory.Upload(cosine, DType.F32, length, headDim / 2);
        Operand s = Memory.Upload(sine, DType.F32, length, headDim / 2);
        Operand x = Memory.Activation(new Samples(headDim + length).Normals(rows * columns), rows, columns);
        foreach (bool inverse in (bool[])[false, true])
        {
            double[] before = Memory.Read(x.Tensor);
            Device.RotaryEmbedding(x.Tensor, c.Tensor, s.Tensor, length, 0, inverse, documentStarts);
            double[] expected = RotaryOracle.Rotate(before, c.Values, s.Values, rows, headDim / 2, length, 0, inverse, starts);
            AssertClose(x.Tensor, expected, 1, inverse ? "rotated back" : "rotated");
        }
    }
}
