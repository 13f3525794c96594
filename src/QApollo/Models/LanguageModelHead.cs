using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// Final RMSNorm, head and cross-entropy, in chunks of tokens, so that logits never exist for more than a chunk.
/// N tokens of a micro-batch, H hidden, V vocabulary, n tokens of a chunk.
/// </summary>
public sealed class LanguageModelHead
{
    private const int DefaultChunkTokens = 1024;
    private const long DefaultChunkBytes = 64L << 20;

    private readonly LlamaConfig _config;
    private readonly ModelWeights _weights;
    private readonly int _chunkTokens;
    private readonly PlannedTensor _normed;
    private readonly PlannedTensor _inverseRms;
    private readonly PlannedTensor _normedGradient;
    private readonly PlannedTensor _logits;
    private readonly PlannedTensor _losses;

    /// <param name="tokens">N.</param>
    /// <param name="chunkTokens">n: at most N; 0 for at most 1024, or 64 MiB of logits, whichever is less.</param>
    /// <param name="name">Start of its tensors' names.</param>
    public LanguageModelHead(
        TensorTable table, LlamaConfig config, ModelWeights weights, DeviceProfile profile, int tokens, int chunkTokens = 0, string name = "head")
    {
        _config = config;
        _weights = weights;
        _chunkTokens = ChunkTokens(config, profile, tokens, chunkTokens);
        _normed = table.Transient(name + ".normed", profile.ActivationDType, tokens, config.HiddenSize, TensorCategory.Activations);
        _inverseRms = table.Transient(name + ".inverse_rms", DType.F32, 1, tokens, TensorCategory.Activations);
        _normedGradient = table.Transient(name + ".normed_gradient", profile.ActivationDType, tokens, config.HiddenSize, TensorCategory.Activations);
        _logits = table.Transient(name + ".logits", profile.LogitDType, _chunkTokens, config.VocabSize, TensorCategory.Logits);
        _losses = table.Transient(name + ".losses", DType.F32, 1, _chunkTokens, TensorCategory.Logits);
    }

    /// <summary>The logits of a few tokens.</summary>
    /// <param name="hidden">[n, H]: at most a chunk of the last layer's output.</param>
    /// <returns>[n, V]; valid until the head is used again.</returns>
    public Tensor Logits(IDevice device, Tensor hidden)
    {
        Normalize(device, hidden);
        Tensor logits = _logits.RowRange(0, hidden.Rows);
        device.LinearForward(_normed.RowRange(0, hidden.Rows), _weights.Head.Stored, logits);
        return logits;
    }

    /// <summary>Tokens whose logits exist at a time.</summary>
    /// <param name="tokens">N.</param>
    /// <param name="chunkTokens">As asked for; 0 for at most 1024, or 64 MiB of logits, whichever is less.</param>
    public static int ChunkTokens(LlamaConfig config, DeviceProfile profile, int tokens, int chunkTokens)
    {
        long rowBytes = (long)config.VocabSize * profile.LogitDType.Size();
        long most = chunkTokens > 0 ? chunkTokens : Math.Min(DefaultChunkTokens, Math.Max(1, DefaultChunkBytes / rowBytes));
        return (int)Math.Min(most, tokens);
    }

    /// <summary>Adds the loss of a micro-batch to <paramref name="lossSum"/>.</summary>
    /// <param name="hidden">[N, H]: the last layer's output.</param>
    /// <param name="labels">I32 [1, N].</param>
    /// <param name="logSumExp">[1, N] F32: written.</param>
    /// <param name="lossSum">[1, 1] F32: sum over the counted tokens, in nats.</param>
    public void Loss(IDevice device, Tensor hidden, Tensor labels, Tensor logSumExp, Tensor lossSum)
    {
        Normalize(device, hidden);
        for (int first = 0; first < hidden.Rows; first += _chunkTokens)
        {
            Chunk chunk = ChunkAt(first, hidden.Rows, labels, logSumExp);
            ForwardChunk(device, chunk, lossSum);
        }
    }

    /// <summary>
    /// As <see cref="Loss"/>, and the gradient of the last layer's output. The head's gradient is added when a buffer
    /// for all of it is given; otherwise <see cref="AddSliceGradient"/> makes it in slices.
    /// </summary>
    /// <param name="hidden">[N, H].</param>
    /// <param name="gradient">[N, H]: written; may be <paramref name="hidden"/>.</param>
    /// <param name="scale">1 / counted tokens of the step.</param>
    /// <param name="headGradient">[V, H], or absent.</param>
    /// <param name="accumulate">Add to <paramref name="headGradient"/>: not the first micro-batch.</param>
    public void LossAndGradient(
        IDevice device, Tensor hidden, Tensor labels, Tensor logSumExp, Tensor lossSum, Tensor gradient, float scale,
        Tensor headGradient, Tensor normGradient, bool accumulate)
    {
        Normalize(device, hidden);
        for (int first = 0; first < hidden.Rows; first += _chunkTokens)
        {
            Chunk chunk = ChunkAt(first, hidden.Rows, labels, logSumExp);
            ForwardChunk(device, chunk, lossSum);
            device.CrossEntropyBackward(chunk.Logits, chunk.Labels, chunk.LogSumExp, 0, scale);
            device.LinearInputGradient(chunk.Logits, _weights.Head.Stored, _normedGradient.RowRange(first, chunk.Tokens), accumulate: false);
            if (!headGradient.IsAbsent)
            {
                device.LinearWeightGradient(chunk.Logits, chunk.Normed, headGradient, accumulate || first > 0);
            }
        }

        device.RmsNormBackward(
            _normedGradient, hidden, _weights.FinalNorm.Values, _inverseRms, _normedGradient, accumulateInput: false, normGradient, accumulate);
        device.Copy(_normedGradient, gradient);
    }

    /// <summary>
    /// Adds a micro-batch to the gradient of some rows of the head. Their logits are computed once more, which
    /// costs a third of the head's work and saves the memory of the other rows.
    /// </summary>
    /// <param name="hidden">[N, H].</param>
    /// <param name="logSumExp">[1, N] F32, as <see cref="LossAndGradient"/> left it.</param>
    /// <param name="sliceGradient">[rows, H].</param>
    public void AddSliceGradient(
        IDevice device, Tensor hidden, Tensor labels, Tensor logSumExp, float scale, int firstRow, Tensor sliceGradient, bool accumulate)
    {
        Normalize(device, hidden);
        WeightMatrix slice = _weights.Head.Stored.RowRange(firstRow, sliceGradient.Rows);
        for (int first = 0; first < hidden.Rows; first += _chunkTokens)
        {
            Chunk chunk = ChunkAt(first, hidden.Rows, labels, logSumExp);
            Tensor logits = _logits.View.Reshape(chunk.Tokens, sliceGradient.Rows);
            device.LinearForward(chunk.Normed, slice, logits);
            device.CrossEntropyBackward(logits, chunk.Labels, chunk.LogSumExp, firstRow, scale);
            device.LinearWeightGradient(logits, chunk.Normed, sliceGradient, accumulate || first > 0);
        }
    }

    private void Normalize(IDevice device, Tensor hidden) =>
        device.RmsNormForward(
            hidden, _weights.FinalNorm.Values, (float)_config.RmsNormEps, _normed.RowRange(0, hidden.Rows),
            _inverseRms.View.ElementRange(0, hidden.Rows));

    private void ForwardChunk(IDevice device, in Chunk chunk, Tensor lossSum)
    {
        device.LinearForward(chunk.Normed, _weights.Head.Stored, chunk.Logits);
        device.CrossEntropyForward(chunk.Logits, chunk.Labels, chunk.LogSumExp, chunk.Losses);
        device.AccumulateSum(chunk.Losses, lossSum);
    }

    private Chunk ChunkAt(int first, int tokens, Tensor labels, Tensor logSumExp)
    {
        int count = Math.Min(_chunkTokens, tokens - first);
        return new Chunk(
            count, _normed.RowRange(first, count), _logits.RowRange(0, count), labels.ElementRange(first, count),
            logSumExp.ElementRange(first, count), _losses.View.ElementRange(0, count));
    }

    /// <summary>The rows of a chunk: [n, H], [n, V], [1, n], [1, n], [1, n].</summary>
    private readonly record struct Chunk(int Tokens, Tensor Normed, Tensor Logits, Tensor Labels, Tensor LogSumExp, Tensor Losses);
}
