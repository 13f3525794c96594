using QApollo.Devices;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Causal grouped-query attention and its reverse.</summary>
public abstract class AttentionContract : DeviceContract
{
    /// <summary>Batch, queries, keys, heads, key/value heads, head dimension.</summary>
    public static TheoryData<int, int, int, int, int, int> TrainingShapes => new()
    {
        { 1, 1, 1, 1, 1, 8 }, { 2, 3, 3, 2, 2, 16 }, { 1, 17, 17, 4, 1, 32 }, { 3, 33, 33, 4, 2, 48 }, { 1, 65, 65, 2, 1, 64 },
        { 2, 50, 50, 3, 3, 80 }, { 1, 130, 130, 2, 2, 128 }, { 1, 257, 257, 1, 1, 64 }, { 2, 96, 96, 8, 2, 16 }, { 1, 64, 64, 2, 2, 6 },
        { 1, 70, 70, 2, 1, 20 }, { 2, 40, 40, 2, 1, 42 }, { 1, 97, 97, 2, 2, 54 }, { 1, 50, 50, 2, 1, 76 }, { 1, 100, 100, 2, 1, 100 },
        { 1, 70, 70, 1, 1, 126 }, { 1, 33, 33, 1, 1, 96 }, { 1, 256, 256, 2, 1, 128 }, { 1, 140, 140, 2, 1, 42 }, { 1, 140, 140, 2, 1, 10 },
        { 1, 140, 140, 2, 1, 26 }, { 1, 140, 140, 2, 1, 32 }, { 1, 140, 140, 2, 1, 24 }, { 2, 100, 100, 2, 1, 40 }, { 1, 140, 140, 2, 1, 56 }, { 1, 140, 140, 2, 1, 72 },
    };

    public static TheoryData<int, int, int, int, int, int> CacheShapes => new()
    {
        { 1, 1, 2, 1, 1, 8 }, { 1, 1, 77, 4, 1, 64 }, { 2, 1, 33, 4, 2, 48 }, { 3, 5, 70, 4, 4, 16 }, { 1, 49, 200, 2, 1, 80 },
        { 2, 1, 300, 8, 2, 128 }, { 1, 3, 1030, 2, 2, 32 },
        { 1, 3, 70, 2, 1, 100 }, { 1, 1, 177, 2, 1, 54 }, { 2, 20, 90, 2, 1, 26 }, { 1, 1, 33, 1, 1, 42 }, { 1, 2, 99, 1, 1, 70 },
    };

    /// <summary>Batch, length, heads, key/value heads, head dimension, and how the sequences are cut into documents.</summary>
    public static TheoryData<int, int, int, int, int, DocumentCut> DocumentShapes => new()
    {
        { 1, 1, 1, 1, 8, DocumentCut.EveryToken }, { 2, 3, 2, 2, 16, DocumentCut.Random }, { 2, 4, 2, 1, 32, DocumentCut.EveryToken },
        { 1, 70, 2, 1, 64, DocumentCut.EveryToken }, { 2, 33, 4, 2, 48, DocumentCut.None }, { 1, 130, 2, 2, 128, DocumentCut.AtTiles },
        { 2, 130, 2, 1, 80, DocumentCut.BeforeTiles }, { 1, 200, 4, 2, 64, DocumentCut.AfterTiles }, { 3, 129, 3, 3, 16, DocumentCut.Random },
        { 1, 300, 2, 1, 48, DocumentCut.Random }, { 1, 600, 1, 1, 32, DocumentCut.Halves }, { 2, 65, 2, 1, 6, DocumentCut.AfterTiles },
        { 1, 257, 2, 1, 24, DocumentCut.BeforeTiles }, { 1, 520, 1, 1, 16, DocumentCut.AtTiles }, { 2, 96, 6, 2, 112, DocumentCut.Random },
        { 1, 100, 2, 1, 30, DocumentCut.Random }, { 1, 100, 2, 1, 42, DocumentCut.AtTiles }, { 1, 100, 2, 1, 58, DocumentCut.Random },
        { 1, 100, 2, 1, 74, DocumentCut.AfterTiles }, { 1, 100, 2, 1, 122, DocumentCut.Random }, { 1, 200, 2, 1, 14, DocumentCut.Random },
        { 1, 200, 2, 1, 42, DocumentCut.Random }, { 1, 200, 2, 1, 40, DocumentCut.Random }, { 1, 200, 2, 1, 56, DocumentCut.Random },
        { 1, 200, 2, 1, 72, DocumentCut.Random }, { 1, 200, 2, 1, 8, DocumentCut.Random },
    };

    [Theory]
    [MemberData(nameof(TrainingShapes))]
    [MemberData(nameof(CacheShapes))]
    public void Forward_is_softmax_attention(int batch, int queries, int keys, int heads, int keyHeads, int headDim)
    {
        var shape = new AttentionShape(batch, queries, keys, heads, keyHeads, headDim);
        var (q, k, v) = Setup(shape, 1);
        Tensor output = Memory.Activation(shape.QueryRows, shape.QueryColumns);
        Tensor logSumExp = Memory.Zeros(DType.F32, heads, shape.QueryRows);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp);
        var (expected, expectedLog) = AttentionOracle.Forward(q.Values, k.Values, v.Values, shape);
        AssertClose(output, expected, 1, "output");
        Compare.AllClose(Memory.Floats(logSumExp), expectedLog, 4e-6, 4e-6, "log-sum-exp");
    }

    /// <summary>Scores in the hundreds: the softmax must not overflow, and one key takes all.</summary>
    [Fact]
    public void Forward_survives_large_scores()
    {
        var shape = new AttentionShape(1, 70, 70, 2, 1, 32);
        var (q, k, v) = Setup(shape, 20);
        Tensor output = Memory.Activation(shape.QueryRows, shape.QueryColumns);
        Tensor logSumExp = Memory.Zeros(DType.F32, shape.Heads, shape.QueryRows);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp);
        var (expected, _) = AttentionOracle.Forward(q.Values, k.Values, v.Values, shape);
        AssertClose(output, expected, 1000, "output");
    }

    /// <summary>What later keys hold, NaN included, does not reach earlier queries.</summary>
    [Fact]
    public void Forward_does_not_look_ahead()
    {
        var shape = new AttentionShape(1, 60, 60, 1, 1, 16);
        var (q, k, v) = Setup(shape, 1);
        Tensor output = Memory.Activation(shape.QueryRows, shape.QueryColumns);
        Tensor logSumExp = Memory.Zeros(DType.F32, 1, shape.QueryRows);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp);
        float[] before = Memory.Floats(output.RowRange(0, 59));
        Memory.Write(k.Tensor.RowRange(59, 1), [.. Enumerable.Repeat(1e4, 16)]);
        Memory.Write(v.Tensor.RowRange(59, 1), [.. Enumerable.Repeat(1e4, 16)]);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp);
        Compare.BitEqual<float>(Memory.Floats(output.RowRange(0, 59)), before, "earlier rows");
    }

    [Theory]
    [MemberData(nameof(TrainingShapes))]
    public void Backward_is_the_gradient(int batch, int queries, int keys, int heads, int keyHeads, int headDim)
    {
        var shape = new AttentionShape(batch, queries, keys, heads, keyHeads, headDim);
        var (q, k, v) = Setup(shape, 1);
        int n = shape.QueryRows;
        Operand gradient = Memory.Activation(new Samples(99).Normals(n * shape.QueryColumns), n, shape.QueryColumns);
        Tensor output = Memory.Activation(n, shape.QueryColumns);
        Tensor logSumExp = Memory.Zeros(DType.F32, heads, n);
        Tensor delta = Memory.Zeros(DType.F32, heads, n);
        Operand dq = Memory.Activation(new Samples(3).Normals(n * shape.QueryColumns), n, shape.QueryColumns);
        Operand dk = Memory.Activation(new Samples(4).Normals(n * shape.KeyColumns), n, shape.KeyColumns);
        Operand dv = Memory.Activation(new Samples(5).Normals(n * shape.KeyColumns), n, shape.KeyColumns);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp);
        Device.AttentionBackward(
            q.Tensor, k.Tensor, v.Tensor, output, logSumExp, gradient.Tensor, shape, delta, dq.Tensor, dk.Tensor, dv.Tensor);
        var (query, key, value) = AttentionOracle.Backward(q.Values, k.Values, v.Values, gradient.Values, shape);
        AssertClose(dq.Tensor, query, 4, "dQ");
        AssertClose(dk.Tensor, key, 8, "dK");
        AssertClose(dv.Tensor, value, 8, "dV");
    }

    [Theory]
    [MemberData(nameof(DocumentShapes))]
    public void Within_documents_it_is_block_diagonal(int batch, int length, int heads, int keyHeads, int headDim, DocumentCut cut)
    {
        var shape = new AttentionShape(batch, length, length, heads, keyHeads, headDim);
        var (q, k, v) = Setup(shape, 1);
        int n = shape.QueryRows;
        int[] starts = DocumentCuts.Starts(cut, batch, length);
        Tensor documentStarts = Memory.Upload(starts);
        Operand gradient = Memory.Activation(new Samples(99).Normals(n * shape.QueryColumns), n, shape.QueryColumns);
        Tensor output = Memory.Activation(n, shape.QueryColumns);
        Tensor logSumExp = Memory.Zeros(DType.F32, heads, n);
        Tensor delta = Memory.Zeros(DType.F32, heads, n);
        Operand dq = Memory.Activation(new Samples(3).Normals(n * shape.QueryColumns), n, shape.QueryColumns);
        Operand dk = Memory.Activation(new Samples(4).Normals(n * shape.KeyColumns), n, shape.KeyColumns);
        Operand dv = Memory.Activation(new Samples(5).Normals(n * shape.KeyColumns), n, shape.KeyColumns);
        Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp, documentStarts);
        Device.AttentionBackward(
            q.Tensor, k.Tensor, v.Tensor, output, logSumExp, gradient.Tensor, shape, delta, dq.Tensor, dk.Tensor, dv.Tensor, documentStarts);
        var (expected, expectedLog) = AttentionOracle.Forward(q.Values, k.Values, v.Values, shape, starts);
        AssertClose(output, expected, 1, "output");
        Compare.AllClose(Memory.Floats(logSumExp), expectedLog, 4e-6, 4e-6, "log-sum-exp");
        var (query, key, value) = AttentionOracle.Backward(q.Values, k.Values, v.Values, gradient.Values, shape, starts);
        AssertClose(dq.Tensor, query, 4, "dQ");
        AssertClose(dk.Tensor, key, 8, "dK");
        AssertClose(dv.Tensor, value, 8, "dV");
    }

    /// <summary>Documents that start at place 0 change nothing.</summary>
    [Theory]
    [InlineData(2, 3, 2, 2, 16)]
    [InlineData(1, 130, 4, 2, 48)]
    [InlineData(2, 257, 2, 1, 64)]
    public void Whole_sequences_as_documents_give_the_same_bytes(int batch, int length, int heads, int keyHeads, int headDim)
    {
        var shape = new AttentionShape(batch, length, length, heads, keyHeads, headDim);
        var (q, k, v) = Setup(shape, 1);
        int n = shape.QueryRows;
        Tensor[] starts = [default, Memory.Upload(new int[n])];
        Operand gradient = Memory.Activation(new Samples(99).Normals(n * shape.QueryColumns), n, shape.QueryColumns);
        byte[][] results = Array.ConvertAll(starts, documentStarts =>
        {
            Tensor output = Memory.Activation(n, shape.QueryColumns), dq = Memory.Activation(n, shape.QueryColumns);
            Tensor dk = Memory.Activation(n, shape.KeyColumns), dv = Memory.Activation(n, shape.KeyColumns);
            Tensor logSumExp = Memory.Zeros(DType.F32, heads, n), delta = Memory.Zeros(DType.F32, heads, n);
            Device.AttentionForward(q.Tensor, k.Tensor, v.Tensor, shape, output, logSumExp, documentStarts);
            Device.AttentionBackward(
                q.Tensor, k.Tensor, v.Tensor, output, logSumExp, gradient.Tensor, shape, delta, dq, dk, dv, documentStarts);
            return (byte[])[.. ((Tensor[])[output, logSumExp, dq, dk, dv]).SelectMany(Memory.Bytes)];
        });
        Compare.BitEqual<byte>(results[1], results[0], "one document");
    }

    private (Operand Query, Operand Key, Operand Value) Setup(in AttentionShape shape, double deviation)
    {
        var samples = new Samples(shape.QueryLength * 1000 + shape.HeadDim);
        Memory.UseWorkspace(new WorkspaceRequest(shape, shape.QueryColumns, shape.QueryColumns));
        return (
            Memory.Activation(samples.Normals(shape.QueryRows * shape.QueryColumns, deviation), shape.QueryRows, shape.QueryColumns),
            Memory.Activation(samples.Normals(shape.KeyRows * shape.KeyColumns, deviation), shape.KeyRows, shape.KeyColumns),
            Memory.Activation(samples.Normals(shape.KeyRows * shape.KeyColumns), shape.KeyRows, shape.KeyColumns));
    }
}
