using QApollo.Batches;

namespace QApollo.Data;

/// <summary>The held-out parts of a mixture's sources, one behind the other; each source gets its share of the tokens. Not for several threads.</summary>
public sealed class MixtureValidation : IValidationBatches
{
    private readonly (string Name, IValidationBatches Batches)[] _parts;

    /// <param name="parts">Each with data for a sequence at least.</param>
    /// <param name="maxTokens">Positions to score at most, of all sources together.</param>
    public MixtureValidation(IReadOnlyList<MixturePart> parts, BatchOptions options, long maxTokens = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(options);
        double sum = parts.Sum(part => part.Weight);
        _parts = [.. parts.Select(part => (part.Name, (IValidationBatches)new ValidationBatches(part.Data, options, Share(part.Weight / sum))))];
        BatchSize = options.BatchSize;
        SequenceLength = options.SequenceLength;
        Count = _parts.Sum(part => part.Batches.Count);

        long Share(double share) => maxTokens == long.MaxValue ? maxTokens : Math.Max(1, (long)(maxTokens * share));
    }

    /// <inheritdoc/>
    public int BatchSize { get; }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public long Count { get; }

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, IValidationBatches Batches)> Parts => _parts;

    /// <inheritdoc/>
    public void Read(long index, Span<int> tokens, Span<int> labels)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        int part = 0;
        while (index >= _parts[part].Batches.Count)
        {
            index -= _parts[part].Batches.Count;
            part++;
        }

        _parts[part].Batches.Read(index, tokens, labels);
    }
}
