namespace QApollo.Data;

/// <summary>
/// From paths a person gave to data ready to train on. Text becomes token shards in the cache folder: found again when
/// content, tokenizer and options are the same, gone on with when an earlier run was interrupted. Token shards are opened.
/// Nothing removes old datasets from the cache: any of its folders may be deleted.
/// </summary>
public static class CorpusPreparation
{
    /// <param name="progress">Called from several threads, about ten times a second.</param>
    /// <exception cref="UsageException">A path is missing or has no text; shards of another tokenizer; wrong options.</exception>
    /// <exception cref="RunFailedException">A file is broken (the message names it and the place), or the cache cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the next call goes on from there.</exception>
    public static PreparedData Prepare(
        PreparationOptions options,
        ITokenizer tokenizer,
        IProgress<PreparationProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options.Validate();
        CorpusSelection? selection = TokenShardFiles.TryFind(options.Data) is null ? Corpus.Select(options.Data) : null;
        bool takesSplit = selection?.Validation.Count > 0 && options.ValidationData.Count == 0 && options.HeldOutFraction > 0;
        if (takesSplit)
        {
            options = options with { ValidationData = [.. selection!.Validation.Select(file => file.Path)] };
        }

        PreparedData data = options.ValidationData.Count == 0
            ? PrepareOne(options, tokenizer, progress, cancellation)
            : PrepareBoth(options, tokenizer, progress, cancellation);
        if (selection is not null)
        {
            data.Notes = [.. data.Notes, .. PreparationNotes.Splits(selection, takesSplit, options.OutputFolder), .. PreparationNotes.PassedOver(selection)];
        }

        if (!data.Reused && options.CacheLimit > 0)
        {
            data.Notes = [.. data.Notes, .. PreparationNotes.Removed(new DatasetCache(options.CacheFolder).MakeRoom(options.CacheLimit), options.CacheLimit)];
        }

        return data;
    }

    private static PreparedData PrepareBoth(
        PreparationOptions options, ITokenizer tokenizer, IProgress<PreparationProgress>? progress, CancellationToken cancellation)
    {
        PreparedData train = PrepareOne(options with { HeldOutFraction = 0 }, tokenizer, progress, cancellation);
        try
        {
            PreparationOptions validation = options with { Data = options.ValidationData, HeldOutFraction = 0, OutputFolder = null };
            return train.WithValidation(PrepareOne(validation, tokenizer, progress, cancellation));
        }
        catch
        {
            train.Dispose();
            throw;
        }
    }

    private static PreparedData PrepareOne(
        PreparationOptions options, ITokenizer tokenizer, IProgress<PreparationProgress>? progress, CancellationToken cancellation)
    {
        var report = new ProgressReport(progress);
        if (TokenShardFiles.TryFind(options.Data) is { } shards)
        {
            return shards.Open(options, tokenizer, report, cancellation);
        }

        IReadOnlyList<CorpusFile> files = Corpus.Find(options.Data);
        report.Begin(PreparationPhase.Hashing, files.Sum(file => file.Length));
        string[] hashes = new HashCache(options.CacheFolder).Hash(files, options.Threads, report.Read, cancellation);
        string key = DatasetKey.Of(files, hashes, tokenizer, options);
        string folder = Path.GetFullPath(options.OutputFolder ?? Path.Combine(options.CacheFolder, key));

        bool reused = DatasetManifestFile.Exists(folder);
        if (!reused)
        {
            using var job = new PreparationJob(folder, key, files, hashes, tokenizer, options, report);
            job.Run(cancellation);
        }

        PreparedData data = TokenShardFiles.Prepared(folder).Open(options, tokenizer, report, cancellation);
        if (data.Manifest!.Key != key)
        {
            data.Dispose();
            throw new UsageException($"{folder}: holds the tokens of other text or other options: choose another folder, or delete it");
        }

        data.Reused = reused;
        new DatasetCache(options.CacheFolder).Touch(folder);
        return data;
    }
}
