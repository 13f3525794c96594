using QApollo.Devices;
using QApollo.Reports;
using QApollo.Tests.Training;
using Xunit;

namespace QApollo.Tests.Reports;

/// <summary>The work of an operation, counted from the buffers that the step hands it.</summary>
public class OperationWorkTests
{
    private const int N = 24, C = 40, O = 56;

    private static readonly Tensor X = new(1 << 20, DType.F32, N, C), Y = new(2 << 20, DType.F32, N, O), Big = new(3 << 20, DType.U8, 64, 1024);
    private static readonly WeightMatrix Codes = new(new Tensor(4 << 20, DType.U8, O, C), new Tensor(5 << 20, DType.BF16, O, 2), new Tensor(6 << 20, DType.U8, O, 2), 32);

    [Fact]
    public void A_product_counts_two_for_each_multiply_add_and_tells_layout_and_stored_form()
    {
        const double Flops = 2.0 * N * C * O;
        Tensor gradient = new(7 << 20, DType.BF16, O, C);
        RequireWork("linear forward", "N 24, C 40, O 56, int8", Flops, device => device.LinearForward(X, Codes, Y));
        RequireWork("linear forward", "N 24, C 40, O 56, int8, added", Flops, device => device.LinearForward(X, Codes, Y, Y));
        RequireWork("linear forward", "N 24, C 40, O 56, int8 expanded", Flops, device => device.LinearForward(X, Codes with { ForwardExpansion = Big }, Y));
        RequireWork("linear forward", "N 24, C 40, O 56, bf16", Flops, device => device.LinearForward(X, new WeightMatrix(gradient), Y));
        RequireWork("linear input gradient", "N 24, C 40, O 56, int8", Flops, device => device.LinearInputGradient(Y, Codes, X, false));
        RequireWork("linear input gradient", "N 24, C 40, O 56, int8, added", Flops, device => device.LinearInputGradient(Y, Codes, X, true));
        RequireWork("linear weight gradient", "N 24, C 40, O 56, bf16", Flops, device => device.LinearWeightGradient(Y, X, gradient, false));
    }

    /// <summary>Query i of a sequence sees i + 1 keys: 1 + 2 + ... + 12 pairs for each head of each sequence.</summary>
    [Fact]
    public void Attention_counts_what_the_causal_mask_leaves()
    {
        var shape = new AttentionShape(2, 12, 12, 4, 2, 10);
        Tensor query = new(1 << 20, DType.F32, N, 40), key = new(2 << 20, DType.F32, N, 20), logSumExp = new(3 << 20, DType.F32, 4, N);
        const double Pairs = 2 * 4 * 78;
        RequireWork("attention forward", "batch 2, T 12, heads 4/2, D 10", 4 * Pairs * 10, device => device.AttentionForward(query, key, key, shape, query, logSumExp));
        RequireWork(
            "attention backward", "batch 2, T 12, heads 4/2, D 10", 10 * Pairs * 10,
            device => device.AttentionBackward(query, key, key, query, logSumExp, query, shape, logSumExp, query, key, key));
    }

    [Fact]
    public void A_pass_counts_what_is_read_and_written()
    {
        Tensor row = new(8 << 20, DType.F32, 1, C), statistics = new(9 << 20, DType.F32, 1, N), counts = new(10 << 20, DType.I64, 1, UpdateCounts.Length), one = new(11 << 20, DType.F32, 1, 1);
        Tensor gradient = new(12 << 20, DType.F32, O, C);
        const int Matrix = 4 * N * C, Vectors = (4 * C) + (4 * N);
        RequireBytes("rmsnorm forward", "[24, 40] f32", (2 * Matrix) + Vectors, device => device.RmsNormForward(X, row, 0, X, statistics));
        RequireBytes(
            "rmsnorm backward", "[24, 40] f32, added", (4 * Matrix) + Vectors + (4 * C),
            device => device.RmsNormBackward(X, X, row, statistics, X with { Address = 1 << 24 }, true, row, false));
        RequireBytes(
            "apply update", "[56, 40] f32 int8", (4 * O * C) + 4 + (2 * O * C) + (2 * O * 2 * 2) + (2 * O * 2) + (2 * 64),
            device => device.ApplyUpdate(Codes, gradient, one, ChannelAxis.None, default, counts));
        RequireBytes("copy", "[24, 40] f32 bf16", 6 * N * C, device => device.Copy(X, X with { DType = DType.BF16 }));
    }

    [Fact]
    public void An_embedding_counts_the_rows_that_are_looked_up_and_not_the_table()
    {
        WeightMatrix table = new(new Tensor(1 << 20, DType.BF16, 32_000, C));
        Tensor tokens = new(2 << 20, DType.I32, 1, N);
        RequireBytes("embedding forward", "[24, 40]", (2 * N * C) + (4 * N) + (4 * N * C), device => device.EmbeddingForward(table, tokens, X));
        var index = new TokenIndex(tokens, tokens with { Columns = N + 1 }, tokens, 0, N);
        RequireBytes(
            "embedding backward", "[24, 40]", (4 * N * C) + (2 * 4 * N * C),
            device => device.EmbeddingBackward(X, index, 0, new Tensor(3 << 20, DType.F32, 32_000, C)));
    }

    private static void RequireWork(string operation, string detail, double flops, Action<IDevice> call)
    {
        OperationWork work = WorkOf(call);
        Assert.Equal((operation, detail, flops), (work.Operation, work.Detail, work.Flops));
    }

    private static void RequireBytes(string operation, string detail, double bytes, Action<IDevice> call)
    {
        OperationWork work = WorkOf(call);
        Assert.Equal((operation, detail, 0.0, bytes), (work.Operation, work.Detail, work.Flops, work.Bytes));
    }

    private static OperationWork WorkOf(Action<IDevice> call)
    {
        var seen = new Seen();
        using var cpu = Engine.Cpu();
        using var device = new TracingDevice(cpu.Profile, seen);
        call(device);
        return seen.Work;
    }

    private sealed class Seen : IOperationObserver
    {
        public OperationWork Work { get; private set; }

        public void OnOperation(string operation, ReadOnlySpan<Access> accesses) => Work = OperationWork.Of(operation, accesses, sequenceLength: 12);
    }
}
