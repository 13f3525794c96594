using QApollo.Cpu.Gemm;
using QApollo.Cpu.Operations;
using QApollo.Devices;
using QApollo.Quantization;

namespace QApollo.Cpu;

/// <summary>
/// All operations on the processor's cores, in binary32. Operations have finished when their call returns, and every
/// result is the same, bit for bit, for any number of threads.
/// </summary>
public sealed class CpuDevice : IDevice, IArithmeticPeak
{
    private readonly CpuContext _context;
    private readonly NativeArena _memory = new();
    private int _transfers;

    /// <param name="threads">Threads that compute, the caller's included; 0 for one per core.</param>
    public CpuDevice(int threads = 0)
        : this(threads, Microkernel.Best)
    {
    }

    internal CpuDevice(int threads, Microkernel kernel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        threads = threads == 0 ? Environment.ProcessorCount : threads;
        Profile = new CpuProfile(threads);
        _context = new CpuContext(threads, kernel);
    }

    public DeviceProfile Profile { get; }

    public nint Allocate(MemorySpace space, long bytes) => _memory.Allocate(bytes);

    public void Free(MemorySpace space, nint address) => _memory.Free(address);

    public void UseWorkspace(Tensor workspace) => _context.Workspace = workspace;

    public void Upload(ReadOnlySpan<byte> source, Tensor destination) => Copies.Upload(source, destination);

    public void Download(Tensor source, Span<byte> destination) => Copies.Download(source, destination);

    public void Copy(Tensor source, Tensor destination) => Copies.Copy(_context, source, destination);

    public void Zero(Tensor tensor) => Copies.Zero(_context, tensor);

    public void Fill(Tensor destination, float value) => Copies.Fill(_context, destination, value);

    public Transfer BeginTransfer(Tensor source, Tensor destination)
    {
        Copies.Copy(_context, source, destination);
        return new Transfer(++_transfers);
    }

    public void AwaitTransfer(Transfer transfer)
    {
    }

    public void WaitForTransfer(Transfer transfer)
    {
    }

    public ICopyLane OpenCopyLane(int marks) => new HostCopyLane();

    public void Synchronize()
    {
    }

    public void ExpandWeight(in WeightMatrix weight, WeightUse use, Tensor expansion) =>
        Linear.Expand(_context, weight, use, expansion);

    public void EmbeddingForward(in WeightMatrix table, Tensor tokens, Tensor output) =>
        Embedding.Forward(_context, table, tokens, output);

    public void EmbeddingBackward(Tensor outputGradient, in TokenIndex index, int firstRow, Tensor tableGradient) =>
        Embedding.Backward(_context, outputGradient, index, firstRow, tableGradient);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor output, Tensor inverseRms) =>
        RmsNorm.Forward(_context, input, weight, epsilon, output, inverseRms);

    public void RmsNormBackward(
        Tensor outputGradient, Tensor input, Tensor weight, Tensor inverseRms,
        Tensor inputGradient, bool accumulateInput, Tensor weightGradient, bool accumulateWeight) =>
        RmsNorm.Backward(
            _context, outputGradient, input, weight, inverseRms, inputGradient, accumulateInput, weightGradient, accumulateWeight);

    public void LinearForward(Tensor input, in WeightMatrix weight, Tensor output, Tensor addend = default) =>
        Linear.Forward(_context, input, weight, output, addend);

    public void LinearInputGradient(Tensor outputGradient, in WeightMatrix weight, Tensor inputGradient, bool accumulate) =>
        Linear.InputGradient(_context, outputGradient, weight, inputGradient, accumulate);

    public void LinearWeightGradient(Tensor outputGradient, Tensor input, Tensor weightGradient, bool accumulate) =>
        Linear.WeightGradient(_context, outputGradient, input, weightGradient, accumulate);

    public void AddBias(Tensor values, Tensor bias) => Bias.Add(_context, values, bias);

    public void BiasGradient(Tensor outputGradient, Tensor biasGradient, bool accumulate) =>
        Bias.Gradient(_context, outputGradient, biasGradient, accumulate);

    public void RotaryEmbedding(
        Tensor values, Tensor cosine, Tensor sine, int sequenceLength, int firstPosition, bool inverse, Tensor documentStarts = default) =>
        Rotary.Rotate(_context, values, cosine, sine, sequenceLength, firstPosition, inverse, documentStarts);

    public void AttentionForward(
        Tensor query, Tensor key, Tensor value, in AttentionShape shape, Tensor output, Tensor logSumExp, Tensor documentStarts = default) =>
        Attention.Forward(_context, query, key, value, shape, output, logSumExp, documentStarts);

    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor outputGradient, in AttentionShape shape,
        Tensor delta, Tensor queryGradient, Tensor keyGradient, Tensor valueGradient, Tensor documentStarts = default) =>
        Attention.Backward(
            _context, query, key, value, output, logSumExp, outputGradient, shape, delta, queryGradient, keyGradient, valueGradient,
            documentStarts);

    public void SwiGluForward(Tensor gate, Tensor up, Tensor output) => SwiGlu.Forward(_context, gate, up, output);

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor outputGradient, Tensor gateGradient, Tensor upGradient) =>
        SwiGlu.Backward(_context, gate, up, outputGradient, gateGradient, upGradient);

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
        ApolloProjection.Project(_context, gradient, projection, projected, channelSquares);

    public void ApolloScale(
        Tensor projected, Tensor channelSquares, ChannelAxis axis, in ApolloScalars scalars,
        Tensor moment1, Tensor moment2, Tensor limiterNorm, Tensor coefficients, Tensor gradientSquares, Tensor limited) =>
        ApolloScaling.Scale(
            _context, projected, channelSquares, axis, scalars, moment1, moment2, limiterNorm, coefficients, gradientSquares, limited);

    public void SumSquares(Tensor values, ChannelAxis axis, Tensor weights, Tensor sums) => SquareSums.Sum(_context, values, axis, weights, sums);

    public void ScaleRows(Tensor values, Tensor factors) => Normalization.ScaleRows(_context, values, factors);

    public void Reciprocal(Tensor values, bool root, float scale, Tensor output) => Normalization.Reciprocal(values, root, scale, output);

    public void DivideBySquares(Tensor values, Tensor divisors) => Normalization.DivideBySquares(values, divisors);

    public void Average(Tensor values, float decay, float oneMinusDecay, Tensor average) =>
        Normalization.Average(_context, values, decay, oneMinusDecay, average);

    public void LimitGrowth(
        Tensor squares, Tensor weights, bool useLimiter, bool storeOnly, Tensor limiterNorm, Tensor coefficients, Tensor limited) =>
        Normalization.LimitGrowth(squares, weights, useLimiter, storeOnly, limiterNorm, coefficients, limited);

    public void AdamDirection(Tensor gradient, Tensor moment1, Tensor moment2, in AdamScalars scalars, Tensor gradientSquares) =>
        Adam.Direction(_context, gradient, moment1, moment2, scalars, gradientSquares);

    public void AdamDirection8Bit(
        Tensor gradient, Tensor moment1, Tensor moment2, Tensor scale1, Tensor scale2, in AdamScalars scalars, Tensor gradientSquares) =>
        Adam8Bit.Direction(_context, gradient, moment1, moment2, scale1, scale2, scalars, gradientSquares);

    public void ApplyUpdate(
        in WeightMatrix weight, Tensor gradient, Tensor coefficients, ChannelAxis axis, in UpdateScalars scalars, Tensor counts) =>
        WeightUpdate.Apply(_context, weight, gradient, coefficients, axis, scalars, counts);

    public void Quantize(Tensor source, in WeightMatrix destination) => Quantizer.Quantize(_context, source, destination);

    public void Dequantize(in WeightMatrix source, Tensor destination) => Quantizer.Dequantize(_context, source, destination);

    /// <inheritdoc/>
    public double RunMultiplyAdds() => MultiplyAddPeak.Run(_context.Pool);

    public void Dispose()
    {
        _context.Dispose();
        _memory.Dispose();
    }
}
