using QApollo.Batches;

namespace QApollo.Data;

/// <summary>Prepared data of one source or of a mixture. Owns its files: dispose it after everything that reads them.</summary>
public sealed class TrainingData : IDisposable
{
    private readonly IReadOnlyList<(MixtureSource Source, PreparedData Data)> _sources;
    private readonly bool _isMixture;
    private readonly WhenExhausted _rule;

    private TrainingData(IReadOnlyList<(MixtureSource Source, PreparedData Data)> sources, bool isMixture, WhenExhausted rule) =>
        (_sources, _isMixture, _rule) = (sources, isMixture, rule);

    public long TrainTokens => _sources.Sum(source => source.Data.Train.Count);

    public long ValidationTokens => _sources.Sum(source => source.Data.Validation?.Count ?? 0);

    /// <summary>One line each: what a person should know.</summary>
    public IReadOnlyList<string> Notes => _isMixture
        ? [.. _sources.SelectMany(source => source.Data.Notes.Select(note => $"{source.Source.Name}: {note}"))]
        : _sources[0].Data.Notes;

    public static TrainingData Of(PreparedData data) => new([(new MixtureSource(string.Empty, [], 1), data)], isMixture: false, WhenExhausted.Repeat);

    /// <summary>Prepares <see cref="PreparationOptions.Data"/>, whose paths may have weights (<see cref="MixtureParser"/>).</summary>
    /// <exception cref="UsageException">A path is missing or has no text; wrong options.</exception>
    /// <exception cref="RunFailedException">A file is broken, or the cache cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the next call goes on from there.</exception>
    public static TrainingData Prepare(
        PreparationOptions options,
        ITokenizer tokenizer,
        WhenExhausted rule,
        IProgress<PreparationProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (MixtureParser.TryParse(options.Data) is not { } mixture)
        {
            return Of(CorpusPreparation.Prepare(options, tokenizer, progress, cancellation));
        }

        if (options.OutputFolder is not null)
        {
            throw new UsageException("--output-dir: a mixture is prepared into the cache, a dataset for each source: leave it out, or prepare the sources one by one");
        }

        var prepared = new List<(MixtureSource, PreparedData)>();
        try
        {
            foreach (MixtureSource source in mixture)
            {
                // Validation data of its own goes with the first source: it is one text for all.
                PreparationOptions own = options with
                {
                    Data = source.Data,
                    ValidationData = prepared.Count == 0 ? options.ValidationData : [],
                    HeldOutFraction = options.ValidationData.Count > 0 ? 0 : options.HeldOutFraction,
                };
                prepared.Add((source, CorpusPreparation.Prepare(own, tokenizer, progress, cancellation)));
            }
        }
        catch
        {
            prepared.ForEach(source => source.Item2.Dispose());
            throw;
        }

        return new TrainingData(prepared, isMixture: true, rule);
    }

    /// <summary>The folders of the shards, with the names of a mixture's sources.</summary>
    public IEnumerable<(string Name, PreparedData Data)> Datasets => _sources.Select(source => (source.Source.Name, source.Data));

    /// <exception cref="UsageException">A source is shorter than one sequence.</exception>
    public IBatchSource CreateBatches(BatchOptions options) => _isMixture
        ? new MixtureBatchSource([.. _sources.Select(source => new MixturePart(source.Source.Name, source.Source.Weight, source.Data.Train))], options, _rule)
        : new BatchSource(_sources[0].Data.Train, options);

    /// <summary>Null when nothing was held out.</summary>
    public IValidationBatches? CreateValidation(BatchOptions options, long maxTokens)
    {
        MixturePart[] parts =
        [
            .. _sources.Where(source => source.Data.Validation is { Count: > 1 })
                .Select(source => new MixturePart(source.Source.Name, source.Source.Weight, source.Data.Validation!)),
        ];
        return parts.Length switch
        {
            0 => null,
            1 => new ValidationBatches(parts[0].Data, options, maxTokens),
            _ => new MixtureValidation(parts, options, maxTokens),
        };
    }

    public void Dispose()
    {
        foreach ((_, PreparedData data) in _sources)
        {
            data.Dispose();
        }
    }
}
