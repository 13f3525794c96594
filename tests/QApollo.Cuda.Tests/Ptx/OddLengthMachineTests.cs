using System.Globalization;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using Xunit;

namespace QApollo.Cuda.Tests.Ptx;

/// <summary>
/// What rows cost that are no multiple of 8 long, as of a hidden size of 1,041 or a vocabulary of 50,257: sectors of global memory
/// and wavefronts of shared memory, against the least that the same bytes could take.
/// </summary>
public sealed class OddLengthMachineTests : IDisposable
{
    private const int Hidden = 1041, Vocabulary = 50_257;

    private readonly CudaDevice _device = PtxMachine.Library.Open();
    private readonly DeviceMemory _memory;
    private readonly Samples _samples = new(7);

    public OddLengthMachineTests() => _memory = new DeviceMemory(_device, 32 << 20);

    /// <summary>Wavefronts over the least. Gradients of keys read sums of rows that several lanes share, which counts as more.</summary>
    private const double Wavefronts = 1.02, WavefrontsOfSharedRows = 1.04;

    public static TheoryData<string, double> Bounds => new()
    {
        { "rmsnorm forward", 1.3 },
        { "rmsnorm backward", 1.3 },
        { "rmsnorm forward 100", 1.15 },
        { "rmsnorm backward 100", 1.2 },
        { "rmsnorm forward 126", 1.15 },
        { "rmsnorm backward 126", 1.2 },
        { "embedding forward int8", 1.3 },
        { "embedding forward bf16", 1.3 },
        { "embedding forward f32", 1.3 },
        { "embedding backward f32", 1.3 },
        { "embedding backward bf16", 1.3 },
        { "cross-entropy forward", 1.1 },
        { "cross-entropy backward", 1.1 },
        { "apollo project f32", 1.3 },
        { "apollo project bf16", 1.3 },
        { "linear forward bf16", 1.3 },
        { "linear forward f32", 1.3 },
        { "linear forward int8", 1.22 },
        { "linear input gradient bf16", 1.3 },
        { "linear input gradient f32", 1.3 },
        { "linear input gradient int8", 1.3 },
        { "linear weight gradient", 1.3 },
        { "attention forward 42", 1.3 },
        { "attention backward 42", 1.3 },
        { "attention forward 76", 1.3 },
        { "attention backward 76", 1.3 },
        { "attention forward 126", 1.3 },
        { "attention backward 126", 1.3 },
    };

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Each_sector_is_touched_about_once(string operation, double most)
    {
        Action run = Operation(operation);
        _device.Synchronize();
        LaunchCounts before = PtxMachine.CountsOfThread();
        run();
        _device.Synchronize();
        LaunchCounts counts = PtxMachine.CountsOfThread() - before;
        double sectors = (double)counts.Sectors / counts.LeastSectors, wavefronts = counts.LeastWavefronts == 0 ? 1 : (double)counts.Wavefronts / counts.LeastWavefronts;
        Assert.True(sectors <= most, $"{sectors} times the least sectors");
        Assert.True(wavefronts <= (operation.StartsWith("attention backward", StringComparison.Ordinal) ? WavefrontsOfSharedRows : Wavefronts), $"{wavefronts} times the least wavefronts");
    }

    public void Dispose()
    {
        _memory.Dispose();
        _device.Dispose();
    }

    private Action Operation(string name)
    {
        string[] words = name.Split(' ');
        if (words[0] == "attention")
        {
            return Attention(int.Parse(words[2], CultureInfo.InvariantCulture), backward: words[1] == "backward");
        }

        WeightForm form = words[^1] switch { "int8" => WeightForm.Int8By128, "f32" => WeightForm.F32, _ => WeightForm.BF16 };
        DType dtype = words[^1] == "f32" ? DType.F32 : DType.BF16;
        return words[0] switch
        {
            "rmsnorm" => words.Length == 2 ? Norm(300, Hidden, words[1] == "backward") : Norm(4000, int.Parse(words[2], CultureInfo.InvariantCulture), words[1] == "backward"),
            "embedding" => words[1] == "forward" ? EmbeddingForward(form) : EmbeddingBackward(dtype),
            "cross-entropy" => CrossEntropy(backward: words[1] == "backward"),
            "apollo" => Project(dtype),
            _ => words[1] == "forward" ? LinearForward(form) : words[1] == "input" ? InputGradient(form) : WeightGradient(),
        };
    }

    private Tensor Random(DType dtype, int rows, int columns) => _memory.Upload(_samples.Normals(rows * columns), dtype, rows, columns).Tensor;

    private WeightMatrix Weight(int rows, int columns, WeightForm form) => _memory.Weight(_samples.Normals(rows * columns), rows, columns, form);

    private Action Norm(int rows, int columns, bool backward)
    {
        Tensor x = Random(DType.BF16, rows, columns), dy = Random(DType.BF16, rows, columns), y = _memory.Zeros(DType.BF16, rows, columns);
        Tensor gain = Random(DType.F32, 1, columns), inverse = _memory.Zeros(DType.F32, 1, rows), gainGradient = _memory.Zeros(DType.F32, 1, columns);
        return backward
            ? () => _device.RmsNormBackward(dy, x, gain, inverse, y, true, gainGradient, true)
            : () => _device.RmsNormForward(x, gain, 1e-6f, y, inverse);
    }

    private Action EmbeddingForward(WeightForm form)
    {
        WeightMatrix table = Weight(40, Hidden, form);
        Tensor tokens = _memory.Upload(_samples.Integers(32, 0, 40)), output = _memory.Zeros(DType.BF16, 32, Hidden);
        return () => _device.EmbeddingForward(table, tokens, output);
    }

    private Action EmbeddingBackward(DType dtype)
    {
        TokenIndex index = EmbeddingContract.Index(_memory, _samples.Integers(64, 0, 40), 0, 40);
        Tensor gradient = Random(DType.BF16, 64, Hidden), table = _memory.Zeros(dtype, 40, Hidden);
        return () => _device.EmbeddingBackward(gradient, index, 0, table);
    }

    private Action CrossEntropy(bool backward)
    {
        Tensor logits = Random(DType.BF16, 4, Vocabulary), labels = _memory.Upload(_samples.Integers(4, 0, Vocabulary));
        Tensor sums = _memory.Zeros(DType.F32, 1, 4), losses = _memory.Zeros(DType.F32, 1, 4);
        return backward ? () => _device.CrossEntropyBackward(logits, labels, sums, 0, 1) : () => _device.CrossEntropyForward(logits, labels, sums, losses);
    }

    private Action Project(DType dtype)
    {
        Tensor gradient = Random(dtype, 1050, Hidden), projection = Random(DType.F32, 1, Hidden);
        Tensor projected = _memory.Zeros(DType.F32, 1, 1050), squares = _memory.Zeros(DType.F32, 1, 1050);
        return () => _device.ApolloProject(gradient, projection, projected, squares);
    }

    private Action LinearForward(WeightForm form)
    {
        WeightMatrix weight = Weight(131, Hidden, form);
        Tensor x = Random(DType.BF16, 129, Hidden), y = _memory.Zeros(DType.BF16, 129, 131);
        return () => _device.LinearForward(x, weight, y);
    }

    private Action InputGradient(WeightForm form)
    {
        WeightMatrix weight = Weight(Hidden, 131, form);
        Tensor dy = Random(DType.BF16, 129, Hidden), dx = _memory.Zeros(DType.BF16, 129, 131);
        return () => _device.LinearInputGradient(dy, weight, dx, false);
    }

    private Action WeightGradient()
    {
        Tensor dy = Random(DType.BF16, Hidden, 129), x = Random(DType.BF16, Hidden, 131), gradient = _memory.Zeros(DType.F32, 129, 131);
        return () => _device.LinearWeightGradient(dy, x, gradient, false);
    }

    private Action Attention(int headDim, bool backward)
    {
        const int Length = 140, Heads = 2;
        var shape = new AttentionShape(1, Length, Length, Heads, Heads, headDim);
        Tensor[] inputs = [.. Enumerable.Range(0, 4).Select(_ => Random(DType.BF16, Length, Heads * headDim))];
        Tensor[] gradients = [.. Enumerable.Range(0, 3).Select(_ => _memory.Zeros(DType.BF16, Length, Heads * headDim))];
        Tensor output = _memory.Zeros(DType.BF16, Length, Heads * headDim);
        Tensor logSumExp = _memory.Zeros(DType.F32, Heads, Length), delta = _memory.Zeros(DType.F32, Heads, Length);
        return backward
            ? () => _device.AttentionBackward(
                inputs[0], inputs[1], inputs[2], output, logSumExp, inputs[3], shape, delta, gradients[0], gradients[1], gradients[2])
            : () => _device.AttentionForward(inputs[0], inputs[1], inputs[2], shape, output, logSumExp);
    }
}
