namespace QApollo.Data;

/// <summary>Token shards that exist: a prepared folder, or .bin files of llm.c's format.</summary>
internal sealed class TokenShardFiles
{
    /// <summary>Up to this size the hashes are checked at every opening: about a second.</summary>
    private const long SmallBytes = 1L << 30;

    private readonly string? _folder;
    private readonly IReadOnlyList<string> _train;
    private readonly IReadOnlyList<string> _validation;

    private TokenShardFiles(string? folder, IReadOnlyList<string> train, IReadOnlyList<string> validation)
    {
        _folder = folder;
        _train = train;
        _validation = validation;
    }

    /// <summary>A folder that a preparation has finished.</summary>
    public static TokenShardFiles Prepared(string folder) => new(folder, [], []);

    /// <summary>The shards that the paths stand for; null: they stand for text.</summary>
    /// <exception cref="UsageException">Some paths are shards and others are not, or a prepared folder is not alone.</exception>
    public static TokenShardFiles? TryFind(IReadOnlyList<string> paths)
    {
        if (paths.Count == 1 && DatasetManifestFile.Exists(paths[0]))
        {
            return Prepared(Path.GetFullPath(paths[0]));
        }

        var shards = new List<string>();
        string? other = null;
        foreach (string path in paths)
        {
            int before = shards.Count;
            if (IsShard(path) && File.Exists(path))
            {
                shards.Add(path);
            }
            else if (DatasetManifestFile.Exists(path))
            {
                throw new UsageException($"data: {path}: a prepared folder goes alone; give the text it was made of to put more beside it");
            }
            else if (Directory.Exists(path))
            {
                shards.AddRange(ShardsIn(path));
            }

            other = shards.Count == before ? path : other;
        }

        if (shards.Count == 0)
        {
            return null;
        }

        if (other is not null)
        {
            throw new UsageException(
                $"data: token shards ({shards[0]}) and something else ({other}) cannot be mixed: give .bin shards, or text, or one prepared folder");
        }

        ILookup<bool, string> sides = shards.ToLookup(IsValidation);
        return sides[false].Any()
            ? new TokenShardFiles(null, [.. sides[false]], [.. sides[true]])
            : new TokenShardFiles(null, [.. sides[true]], []);
    }

    /// <exception cref="UsageException">The shards are of another tokenizer.</exception>
    /// <exception cref="RunFailedException">A file is missing or damaged.</exception>
    public PreparedData Open(PreparationOptions options, ITokenizer tokenizer, ProgressReport report, CancellationToken cancellation)
    {
        if (_folder is null)
        {
            return OpenFiles(options, tokenizer, report, cancellation);
        }

        DatasetManifest manifest = DatasetManifestFile.Read(_folder);
        Check(manifest, _folder, tokenizer, options.Strict);
        if (options.Strict)
        {
            CheckSkipped(manifest);
        }

        var all = new ShardedTokens([.. manifest.Shards.Select(shard => Path.Combine(_folder, shard.File))]);
        try
        {
            ShardVerification.CheckCounts(all.Shards, manifest);
            if (options.VerifyHashes ?? all.FileBytes <= SmallBytes)
            {
                report.Begin(PreparationPhase.Verifying, all.FileBytes);
                ShardVerification.CheckHashes(all.Shards, manifest, options.Threads, report, cancellation);
            }
        }
        catch
        {
            all.Dispose();
            throw;
        }

        (TokenRange train, TokenRange validation) = (manifest.Train, manifest.Validation);
        IEnumerable<string> notes = [];
        if (manifest.HeldOut == HeldOutKind.None)
        {
            (train, validation) = HeldOutSplit.End(manifest.Tokens, options.HeldOutFraction);
            notes = PreparationNotes.NoSplit(train, validation);
        }
        else if (manifest.HeldOut == HeldOutKind.End)
        {
            notes = PreparationNotes.FewDocuments(train, validation);
        }

        return new PreparedData(all.Slice(train), validation.Count > 0 ? all.Slice(validation) : null, all)
        {
            Folder = _folder,
            Manifest = manifest,
            Notes = [.. PreparationNotes.Replaced(manifest), .. PreparationNotes.Skipped(manifest), .. notes],
        };
    }

    private PreparedData OpenFiles(PreparationOptions options, ITokenizer tokenizer, ProgressReport report, CancellationToken cancellation)
    {
        var all = new ShardedTokens([.. _train, .. _validation]);
        try
        {
            foreach (IGrouping<string, TokenShard> folder in all.Shards.GroupBy(shard => Path.GetDirectoryName(Path.GetFullPath(shard.Path))!))
            {
                if (DatasetManifestFile.Exists(folder.Key))
                {
                    VerifyNamed([.. folder], folder.Key, options, tokenizer, report, cancellation);
                }
            }
        }
        catch
        {
            all.Dispose();
            throw;
        }

        if (_validation.Count == 0)
        {
            (TokenRange train, TokenRange validation) = HeldOutSplit.End(all.Count, options.HeldOutFraction);
            return new PreparedData(all.Slice(train), validation.Count > 0 ? all.Slice(validation) : null, all)
            {
                Notes = [.. PreparationNotes.NoSplit(train, validation)],
            };
        }

        long trainTokens = all.Shards.Take(_train.Count).Sum(shard => (long)shard.Count);
        return new PreparedData(all.Slice(0, trainTokens), all.Slice(trainTokens, all.Count - trainTokens), all);
    }

    /// <summary>Shards that were named one by one, against the description beside them.</summary>
    private static void VerifyNamed(
        TokenShard[] shards, string folder, PreparationOptions options, ITokenizer tokenizer, ProgressReport report, CancellationToken cancellation)
    {
        DatasetManifest manifest = DatasetManifestFile.Read(folder);
        Dictionary<string, ShardRecord> records = manifest.Shards.DistinctBy(record => record.File).ToDictionary(record => record.File);
        TokenShard[] described = [.. shards.Where(shard => records.ContainsKey(Path.GetFileName(shard.Path)))];
        if (described.Length == 0)
        {
            return;
        }

        Check(manifest, folder, tokenizer, options.Strict);
        DatasetManifest part = manifest with { Shards = [.. described.Select(shard => records[Path.GetFileName(shard.Path)])] };
        ShardVerification.CheckCounts(described, part);
        long bytes = described.Sum(shard => shard.FileBytes);
        if (options.VerifyHashes ?? bytes <= SmallBytes)
        {
            report.Begin(PreparationPhase.Verifying, bytes);
            ShardVerification.CheckHashes(described, part, options.Threads, report, cancellation);
        }
    }

    private static void Check(DatasetManifest manifest, string folder, ITokenizer tokenizer, bool strict)
    {
        TokenizerRecord made = manifest.Tokenizer;
        TokenizerRecord wanted = TokenizerRecord.Of(tokenizer);
        if (made with { Description = wanted.Description } != wanted)
        {
            throw new UsageException(
                $"{folder}: its tokens are of the tokenizer {made.Description} ({made.VocabularySize} entries, fingerprint {made.Fingerprint}), this run's is {wanted.Description} ({wanted.VocabularySize} entries, fingerprint {wanted.Fingerprint}): use that one, or prepare the text again");
        }

        if (strict && manifest.Sources.FirstOrDefault(source => source.Replaced > 0) is { } source)
        {
            throw new InvalidFileException(
                source.Path, $"{Replacements.Describe(source.Path, source.FirstReplaced ?? 0)}: save the text as UTF-8, or leave out --strict to replace it");
        }
    }

    /// <summary>Strict and prepared without: the rows were skipped then.</summary>
    private static void CheckSkipped(DatasetManifest manifest)
    {
        if (manifest.Sources.FirstOrDefault(source => source.Skipped > 0) is { } source)
        {
            throw new InvalidFileException(source.Path, $"{source.FirstSkipped}: correct it, or leave out --strict to skip such rows");
        }
    }

    /// <summary>A folder's .bin files, if they are token shards or it has nothing else: text may lie beside a .bin of another kind.</summary>
    private static string[] ShardsIn(string folder)
    {
        try
        {
            string[] shards = [.. Directory.EnumerateFiles(folder).Where(IsShard).Order(StringComparer.Ordinal)];
            bool takes = shards.Any(TokenShardHeader.IsAt) || (shards.Length > 0 && !Corpus.HasText(folder));
            return takes ? shards : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"data: {folder}: cannot be read: {e.Message}", e);
        }
    }

    private static bool IsShard(string path) => path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);

    /// <summary>llm.c's scripts name shards like fineweb_val_000000.bin.</summary>
    private static bool IsValidation(string path) =>
        Path.GetFileNameWithoutExtension(path).Split('_', '-', '.').Any(part => part is "val" or "valid" or "validation");
}
