using System.Collections;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using QApollo.Batches;

namespace QApollo.Data;

/// <summary>
/// Endless micro-batches of several sources in exact shares. Position: how many sequences have been read of all; each
/// source's own place follows from it. Not for several threads.
/// </summary>
public sealed class MixtureBatchSource : IBatchSource
{
    private readonly MixturePart[] _parts;
    private readonly BatchSource[] _sources;
    private readonly MixtureSchedule _schedule;
    private readonly int _length;
    private readonly int _batchSize;

    /// <exception cref="UsageException">A source is shorter than one sequence.</exception>
    public MixtureBatchSource(IReadOnlyList<MixturePart> parts, BatchOptions options, WhenExhausted rule)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(options);
        _parts = [.. parts];
        _length = options.SequenceLength;
        _batchSize = options.BatchSize;
        _sources = [.. parts.Select((part, number) => Open(part, options with { BatchSize = 1, Seed = SeedOf(options.Seed, number) }))];
        _schedule = new MixtureSchedule(
            [.. parts.Select(part => part.Weight)], [.. _sources.Select(source => source.SequencesPerEpoch)], rule);
        DataTokens = parts.Sum(part => part.Data.Count);
        Sources = new Progress(this);
        Description = string.Join(
            ", ", parts.Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Name}={part.Weight:R} ({part.Data.Count} tokens)"))) + $", {rule}";
    }

    /// <inheritdoc/>
    public long DataTokens { get; }

    /// <inheritdoc/>
    public string DataFingerprint => Convert.ToHexStringLower(
        SHA256.HashData(Encoding.ASCII.GetBytes(string.Concat(_sources.Select(source => source.DataFingerprint)))).AsSpan(0, 16));

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public IReadOnlyList<SourceProgress> Sources { get; }

    /// <inheritdoc/>
    public DataPosition Position
    {
        get => new(0, _schedule.Index);
        set
        {
            if (value.Epoch != 0 || value.Index < 0)
            {
                throw new UsageException(
                    $"data position: sequence {value.Index} of epoch {value.Epoch} is none of a mixture: the saved run read its data as one source; give --data without weights");
            }

            _schedule.Seek(value.Index);
            for (int i = 0; i < _sources.Length; i++)
            {
                (long epoch, long index) = Math.DivRem(_schedule.Visited(i), _sources[i].SequencesPerEpoch);
                _sources[i].Position = new DataPosition((int)epoch, index);
            }
        }
    }

    /// <inheritdoc/>
    public bool Has(int sequences) => _schedule.Has(sequences);

    /// <inheritdoc/>
    public void ReadNext(Span<int> tokens, Span<int> labels)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, _batchSize * _length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(labels.Length, tokens.Length);
        for (int row = 0; row < tokens.Length; row += _length)
        {
            _sources[_schedule.Next()].ReadNext(tokens.Slice(row, _length), labels.Slice(row, _length));
        }
    }

    /// <inheritdoc/>
    public void Skip(int sequences)
    {
        for (int i = 0; i < sequences; i++)
        {
            _sources[_schedule.Next()].Skip(1);
        }
    }

    private static BatchSource Open(MixturePart part, BatchOptions options)
    {
        try
        {
            return new BatchSource(part.Data, options);
        }
        catch (UsageException e)
        {
            throw new UsageException($"{part.Name}: {e.Message}", e);
        }
    }

    /// <summary>Sources of equal length must not be read in step.</summary>
    private static ulong SeedOf(ulong seed, int source) => seed + ((ulong)source * 0x9E3779B97F4A7C15);

    /// <summary>A view, so that asking allocates nothing.</summary>
    private sealed class Progress(MixtureBatchSource mixture) : IReadOnlyList<SourceProgress>
    {
        public int Count => mixture._parts.Length;

        public SourceProgress this[int index] => new(
            mixture._parts[index].Name, mixture._parts[index].Weight, mixture._schedule.Visited(index), mixture._sources[index].SequencesPerEpoch);

        public IEnumerator<SourceProgress> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

/// <summary>A source of a mixture, tokenized.</summary>
public sealed record MixturePart(string Name, double Weight, TokenDataset Data);
