using QApollo.Batches;

namespace QApollo.Data;

/// <summary>
/// The same micro-batches at every validation: sequences at equal distances over the dataset, in its order, so that a limit
/// still samples all of it. Without a limit every token but the first is a target exactly once (packed mode). Not for
/// several threads.
/// </summary>
public sealed class ValidationBatches : IValidationBatches
{
    private readonly BatchOptions _options;
    private readonly SequenceReader _sequences;
    private readonly int _targets;

    /// <param name="maxTokens">Positions to score at most, rounded down to whole sequences; of a single one, the first.</param>
    /// <exception cref="UsageException">The data has no sequence at all.</exception>
    public ValidationBatches(TokenDataset data, BatchOptions options, long maxTokens = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        _sequences = SequenceReader.Create(data, options, keepTail: true);
        _options = options;
        _targets = (int)Math.Min(maxTokens, options.SequenceLength);
        SequenceCount = Math.Min(_sequences.Count, Math.Max(1, maxTokens / options.SequenceLength));
    }

    public BatchOptions Options => _options;

    public int BatchSize => _options.BatchSize;

    public int SequenceLength => _options.SequenceLength;

    /// <summary>Sequences that are scored.</summary>
    public long SequenceCount { get; }

    /// <summary>Sequences that the data has.</summary>
    public long AllSequences => _sequences.Count;

    /// <summary>Micro-batches; the last may have rows without targets.</summary>
    public long Count => (SequenceCount + _options.BatchSize - 1) / _options.BatchSize;

    /// <summary>Fills micro-batch <paramref name="index"/>: 0 .. <see cref="Count"/> - 1.</summary>
    /// <param name="tokens">[batch size, sequence length], row-major.</param>
    /// <param name="labels">Same shape; negative where the loss ignores the position.</param>
    public void Read(long index, Span<int> tokens, Span<int> labels)
    {
        int length = _options.SequenceLength;
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, _options.BatchSize * length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, tokens.Length);
        for (int row = 0; row < _options.BatchSize; row++)
        {
            long number = (index * _options.BatchSize) + row;
            Span<int> rowTokens = tokens.Slice(row * length, length);
            Span<int> rowLabels = labels.Slice(row * length, length);
            if (number < SequenceCount)
            {
                long sequence = (long)((Int128)number * _sequences.Count / SequenceCount);
                _sequences.Read(sequence, rowTokens, rowLabels);
                rowLabels[_targets..].Fill(BatchOptions.IgnoredLabel);
            }
            else
            {
                _sequences.Pad(rowTokens, rowLabels);
            }
        }
    }
}
