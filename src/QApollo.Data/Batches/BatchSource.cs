using QApollo.Batches;

namespace QApollo.Data;

/// <summary>
/// Endless micro-batches of a dataset. Each epoch visits every sequence once, in an order that seed and epoch determine, so
/// that <see cref="Position"/> restores everything. The same dataset, options and position give the same batches on every
/// machine. Not for several threads.
/// </summary>
public sealed class BatchSource : IBatchSource
{
    private readonly BatchOptions _options;
    private readonly SequenceReader _sequences;
    private readonly Lazy<string> _fingerprint;
    private SequenceOrder _order;
    private DataPosition _position;

    /// <exception cref="UsageException">The data is shorter than one sequence.</exception>
    public BatchSource(TokenDataset data, BatchOptions options)
    {
        _sequences = SequenceReader.Create(data, options, keepTail: false);
        _options = options;
        DataTokens = data.Count;
        _fingerprint = new Lazy<string>(() => DataFingerprints.Of(data));
        _order = new SequenceOrder(options.Seed, 0, _sequences.Count);
    }

    public BatchOptions Options => _options;

    /// <summary>Tokens of the whole data.</summary>
    public long DataTokens { get; }

    /// <inheritdoc/>
    /// <remarks>Computed when it is first asked for.</remarks>
    /// <exception cref="RunFailedException">A shard cannot be read.</exception>
    public string DataFingerprint => _fingerprint.Value;

    public long SequencesPerEpoch => _sequences.Count;

    /// <exception cref="UsageException">On setting: there is no such sequence; data, sequence length or mode is another one.</exception>
    public DataPosition Position
    {
        get => _position;
        set
        {
            if (value.Epoch < 0 || value.Index < 0 || value.Index >= SequencesPerEpoch)
            {
                throw new UsageException(
                    $"data position: sequence {value.Index} of epoch {value.Epoch} does not exist, an epoch has {SequencesPerEpoch} sequences: the data or --seq-len is not the one of the saved run");
            }

            _order = new SequenceOrder(_options.Seed, value.Epoch, SequencesPerEpoch);
            _position = value;
        }
    }

    /// <summary>Fills one micro-batch and moves on. An epoch's last sequences share their micro-batch with the next epoch's first.</summary>
    /// <param name="tokens">[batch size, sequence length], row-major.</param>
    /// <param name="labels">Same shape; position t's label is the token that follows it, negative where the loss ignores it.</param>
    /// <exception cref="RunFailedException">The data holds an id outside the vocabulary.</exception>
    public void ReadNext(Span<int> tokens, Span<int> labels)
    {
        int length = _options.SequenceLength;
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, _options.BatchSize * length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, tokens.Length);
        for (int row = 0; row < tokens.Length; row += length)
        {
            _sequences.Read(_order[_position.Index], tokens.Slice(row, length), labels.Slice(row, length));
            Advance();
        }
    }

    /// <inheritdoc/>
    public void Skip(int sequences)
    {
        for (int i = 0; i < sequences; i++)
        {
            Advance();
        }
    }

    private void Advance()
    {
        if (_position.Index + 1 < SequencesPerEpoch)
        {
            _position = _position with { Index = _position.Index + 1 };
        }
        else
        {
            Position = new DataPosition(_position.Epoch + 1, 0);
        }
    }
}
