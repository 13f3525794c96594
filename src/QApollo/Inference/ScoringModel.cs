using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Inference;

/// <summary>The loss of whole micro-batches, forward only.</summary>
public sealed class ScoringModel
{
    private readonly ForwardPass _pass;
    private readonly LanguageModelHead _head;
    private readonly PlannedTensor _labels;
    private readonly PlannedTensor _logSumExp;
    private readonly PlannedTensor _lossSum;
    private readonly DocumentStarts _documentStarts;

    /// <summary>Declares its tensors in the table.</summary>
    /// <param name="batchSize">Sequences of a micro-batch.</param>
    /// <param name="sequenceLength">Tokens of a sequence; at most the positions of <paramref name="rotary"/>.</param>
    /// <param name="documentEnd">Token that ends a document, for attention within documents; null for whole sequences.</param>
    public ScoringModel(
        TensorTable table, LlamaConfig config, ModelWeights weights, DeviceProfile profile, RotaryTable rotary, int batchSize, int sequenceLength,
        int? documentEnd = null)
    {
        Attention = new AttentionShape(
            batchSize, sequenceLength, sequenceLength, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim);
        _pass = new ForwardPass(table, config, weights, profile, rotary, Attention, "scored");
        _head = new LanguageModelHead(table, config, weights, profile, Attention.QueryRows);
        _labels = table.Transient("scored.labels", DType.I32, 1, Attention.QueryRows, TensorCategory.Staging);
        _logSumExp = table.Transient("scored.log_sum_exp", DType.F32, 1, Attention.QueryRows, TensorCategory.Logits);
        _lossSum = table.Transient("scored.loss_sum", DType.F32, 1, 1, TensorCategory.Staging);
        _documentStarts = new DocumentStarts(table, "scored.document_starts", 1, batchSize, sequenceLength, documentEnd);
    }

    /// <summary>For the size of the device's workspace.</summary>
    public AttentionShape Attention { get; }

    /// <param name="tokens">[batch size * sequence length], each in 0..V-1.</param>
    /// <param name="labels">Same shape: the target of each position; negative ones are ignored.</param>
    /// <returns>Sum of the losses of the counted positions, in nats.</returns>
    public double LossSum(IDevice device, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels)
    {
        device.Upload(MemoryMarshal.AsBytes(labels), _labels);
        device.Zero(_lossSum);
        _documentStarts.Load(device, tokens);
        Tensor hidden = _pass.Run(device, tokens, documentStarts: _documentStarts.Of(0));
        _head.Loss(device, hidden, _labels, _logSumExp, _lossSum);
        float sum = 0;
        device.Download(_lossSum, MemoryMarshal.AsBytes(new Span<float>(ref sum)));
        return sum;
    }
}
