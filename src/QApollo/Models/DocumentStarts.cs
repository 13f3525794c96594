using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// Where the document of each token starts in its sequence, on the device. A sequence that begins inside a document treats
/// what it has of that as a document of its own.
/// </summary>
public sealed class DocumentStarts
{
    private readonly int _sequenceLength;
    private readonly int? _documentEnd;
    private readonly PlannedTensor? _starts;
    private readonly int[] _hostStarts = [];

    /// <param name="microBatches">Micro-batches that are on the device at a time.</param>
    /// <param name="documentEnd">The last token of each document; null for attention over whole sequences, which needs no starts.</param>
    public DocumentStarts(TensorTable table, string name, int microBatches, int batchSize, int sequenceLength, int? documentEnd)
    {
        (_sequenceLength, _documentEnd) = (sequenceLength, documentEnd);
        if (documentEnd is not null)
        {
            _starts = table.Persistent(name, DType.I32, microBatches, batchSize * sequenceLength, TensorCategory.Staging);
            _hostStarts = new int[_starts.View.Elements];
        }
    }

    /// <summary>Brings the starts of the first micro-batches to the device.</summary>
    /// <param name="tokens">Whole micro-batches of sequences.</param>
    public void Load(IDevice device, ReadOnlySpan<int> tokens)
    {
        if (_starts is null)
        {
            return;
        }

        Span<int> starts = _hostStarts.AsSpan(0, tokens.Length);
        for (int i = 0; i < tokens.Length; i++)
        {
            int place = i % _sequenceLength;
            starts[i] = place == 0 ? 0 : tokens[i - 1] == _documentEnd ? place : starts[i - 1];
        }

        device.Upload(MemoryMarshal.AsBytes(starts), _starts.RowRange(0, tokens.Length / _starts.View.Columns));
    }

    /// <summary>I32 [1, N]; absent for attention over whole sequences.</summary>
    public Tensor Of(int microBatch) => _starts?.RowRange(microBatch, 1) ?? default;
}
