using QApollo.Devices;
using QApollo.Quantization;
using QApollo.Torch.Operations;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>
/// All operations by libtorch, without autograd: on the processor in F32, or on a CUDA device with BF16 activations.
/// Memory is that of the plan; libtorch's tensors are views of it, and its own allocator is asked only for results of
/// reductions and look-ups, a slice at a time.
/// </summary>
public sealed class TorchDevice : IDevice
{
    private readonly TorchContext _context;
    private readonly EightBitCodec _codec;
    private int _transfers;

    private TorchDevice(DeviceType type, int index)
    {
        Profile = new TorchProfile(type == DeviceType.CUDA);
        _context = new TorchContext(type, index);
        _codec = new EightBitCodec(_context);
    }

    public DeviceProfile Profile { get; }

    /// <summary>For tests that count its temporaries.</summary>
    internal TorchContext Context => _context;

    /// <summary>The processor.</summary>
    /// <param name="threads">Threads of libtorch in this process; 0 for one per core.</param>
    /// <param name="libraryFolder">Of libtorch's libraries; null for those beside the program.</param>
    /// <exception cref="TorchException">libtorch does not load; the message says what is missing.</exception>
    public static TorchDevice OpenCpu(int threads = 0, string? libraryFolder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        TorchLibrary.Load(libraryFolder, needsCuda: false);
        torch.set_num_threads(threads == 0 ? Environment.ProcessorCount : threads);
        return new TorchDevice(DeviceType.CPU, -1);
    }

    /// <summary>A CUDA device.</summary>
    /// <param name="ordinal">From 0.</param>
    /// <param name="libraryFolder">Of libtorch's libraries; null for those beside the program.</param>
    /// <exception cref="TorchException">libtorch does not load, has no CUDA, or finds no such device.</exception>
    public static TorchDevice OpenCuda(int ordinal, string? libraryFolder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        TorchLibrary.Load(libraryFolder, needsCuda: true);
        TorchLibrary.RequireCuda(ordinal);
        return new TorchDevice(DeviceType.CUDA, ordinal);
    }

    public nint Allocate(MemorySpace space, long bytes) => _context.Memory.Allocate(space, bytes);

    public void Free(MemorySpace space, nint address) => _context.Memory.Free(address);

    public void UseWorkspace(Tensor workspace) => _context.UseWorkspace(workspace);

    public void Upload(ReadOnlySpan<byte> source, Tensor destination) => Copies.Upload(_context, source, destination);

    public void Download(Tensor source, Span<byte> destination) => Copies.Download(_context, source, destination);

    public void Copy(Tensor source, Tensor destination) => Copies.Copy(_context, source, destination);

    public void Zero(Tensor tensor) => Copies.Zero(_context, tensor);

    public void Fill(Tensor destination, float value) => Copies.Fill(_context, destination, value);

    /// <inheritdoc/>
    /// <remarks>In the stream of all other work: it does not run beside it.</remarks>
    public Transfer BeginTransfer(Tensor source, Tensor destination)
    {
        Copies.Transfer(_context, source, destination);
        return new Transfer(++_transfers);
    }

    public void AwaitTransfer(Transfer transfer)
    {
    }

    public void WaitForTransfer(Transfer transfer) => Synchronize();

    public void Synchronize() => _context.Synchronize();

    public void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion) => Linear.Expand(_context, weight, expansion);

    public void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output) => Embedding.Forward(_context, table, tokens, output);

    public void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient) =>
        Embedding.Backward(_context, outputGradient, index, firstRow, tableGradient);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms) =>
        Norms.Forward(_context, input, weight, epsilon, output, inverseRms);

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight) =>
        Norms.Backward(
            _context, outputGradient, input, weight, inverseRms, inputGradient, accumulateInput, weightGradient, accumulateWeight);

    public void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default) =>
        Linear.Forward(_context, input, weight, output, addend);

    public void LinearInputGradient(Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate) =>
        Linear.InputGradient(_context, outputGradient, weight, inputGradient, accumulate);

    public void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate) =>
        Linear.WeightGradient(_context, outputGradient, input, weightGradient, accumulate);

    public void AddBias(Tensor values, Tensor bias) => Activations.AddBias(_context, values, bias);

    public void BiasGradient(Tensor outputGradient, Tensor biasGradient, bool accumulate) =>
        Activations.BiasGradient(_context, outputGradient, biasGradient, accumulate);

    public void RotaryEmbedding(
        Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts = default) =>
        Activations.Rotate(_context, values, cosine, sine, sequenceLength, firstPosition, inverse, documentStarts);

    public void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default) =>
        Attention.Forward(_context, query, key, value, shape, output, logSumExp, documentStarts);

    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default) =>
        Attention.Backward(
            _context, query, key, value, output, logSumExp, outputGradient, shape, delta, queryGradient, keyGradient, valueGradient,
            documentStarts);

    public void SwiGluForward(Tensor gate, Tensor up, Tensor output) => Activations.SwiGluForward(_context, gate, up, output);

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient) =>
        Activations.SwiGluBackward(_context, gate, up, outputGradient, gateGradient, upGradient);

    public void CrossEntropyForward(Tensor logits, Tensor labels, Tensor logSumExp, Tensor losses) =>
        CrossEntropy.Forward(_context, logits, labels, logSumExp, losses);

    public void CrossEntropyBackward(Tensor logits, Tensor labels, Tensor logSumExp, int firstColumn, float scale) =>
        CrossEntropy.Backward(_context, logits, labels, logSumExp, firstColumn, scale);

    public void AccumulateSum(Tensor values, Tensor total) => Reductions.AccumulateSum(_context, values, total);

    public void AccumulateSumOfSquares(Tensor values, Tensor total) => Reductions.AccumulateSumOfSquares(_context, values, total);

    public void FillNormal(Tensor destination, in RandomStream stream, long firstElement, float standardDeviation) =>
        RandomNormal.Fill(_context, destination, stream, firstElement, standardDeviation);

    public void QuantizeRows(Tensor values, in RandomStream stream, long firstRow, Tensor codes, Tensor scales) =>
        RowCodes.Quantize(_context, values, stream, firstRow, codes, scales);

    public void DequantizeRows(Tensor codes, Tensor scales, Tensor values) => RowCodes.Dequantize(_context, codes, scales, values);

    public void ApolloProject(Tensor gradient, Tensor projection, Tensor projected, Tensor channelSquares) =>
        Apollo.Project(_context, gradient, projection, projected, channelSquares);

    public void ApolloScale(
        Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited) =>
        Apollo.Scale(
            _context, projected, channelSquares, axis, scalars, moment1, moment2, limiterNorm, coefficients, gradientSquares, limited);

    public void SumSquares(Tensor values, ChannelAxis axis, Tensor weights, Tensor sums) =>
        Normalization.SumSquares(_context, values, axis, weights, sums);

    public void ScaleRows(Tensor values, Tensor factors) => Normalization.ScaleRows(_context, values, factors);

    public void Reciprocal(Tensor values, bool root, float scale, Tensor output) =>
        Normalization.Reciprocal(_context, values, root, scale, output);

    public void DivideBySquares(Tensor values, Tensor divisors) => Normalization.DivideBySquares(_context, values, divisors);

    public void Average(Tensor values, float decay, float oneMinusDecay, Tensor average) =>
        Normalization.Average(_context, values, decay, oneMinusDecay, average);

    public void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited) =>
        GrowthLimit.Apply(_context, squares, weights, useLimiter, storeOnly, limiterNorm, coefficients, limited);

    public void AdamDirection(Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares) =>
        Adam.Direction(_context, gradient, moment1, moment2, scalars, gradientSquares);

    public void AdamDirection8Bit(
        Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2, in AdamScalars scalars, Tensor gradientSquares) =>
        Adam.Direction8Bit(_context, _codec, gradient, moment1, moment2, scale1, scale2, scalars, gradientSquares);

    public void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts) =>
        WeightUpdate.Apply(_context, weight, gradient, coefficients, axis, scalars, counts);

    public void Quantize(Tensor source, in WeightMatrix destination) => GroupValues.Quantize(_context, source, destination);

    public void Dequantize(in WeightMatrix source, Tensor destination) => GroupValues.Dequantize(_context, source, destination);

    public void Dispose()
    {
        _codec.Dispose();
        _context.Dispose();
    }
}
