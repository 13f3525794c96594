namespace QApollo.Data;

/// <summary>Where training data comes from and how it is prepared.</summary>
public sealed record PreparationOptions
{
    /// <summary>Files and folders of text, or token shards (.bin files, folders of them, or a folder prepared before).</summary>
    public required IReadOnlyList<string> Data { get; init; }

    /// <summary>The same for validation; empty: part of <see cref="Data"/> is held out.</summary>
    public IReadOnlyList<string> ValidationData { get; init; } = [];

    /// <summary>Field of .jsonl, or column of .parquet, that holds the text.</summary>
    public string TextField { get; init; } = "text";

    /// <summary>Refuse invalid UTF-8 instead of replacing it, and rows without text instead of skipping them.</summary>
    public bool Strict { get; init; }

    /// <summary>Share of the data held out for validation, 0 .. 0.5, when there is no <see cref="ValidationData"/>.</summary>
    public double HeldOutFraction { get; init; } = 0.01;

    /// <summary>Chooses which documents are held out.</summary>
    public ulong SplitSeed { get; init; }

    /// <summary>Datasets are kept here, each in a folder named by content, tokenizer and options.</summary>
    public string CacheFolder { get; init; } = DefaultCacheFolder;

    /// <summary>
    /// Bytes of <see cref="CacheFolder"/> from which on a new dataset makes the ones go that were not used for longest; those of the last
    /// day stay. 0: none goes.
    /// </summary>
    public long CacheLimit { get; init; }

    /// <summary>The dataset's own folder, instead of one in <see cref="CacheFolder"/>; not for <see cref="ValidationData"/>.</summary>
    public string? OutputFolder { get; init; }

    /// <summary>Threads that tokenize.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Tokens per shard, 1 .. 2^31 - 1.</summary>
    public int ShardTokens { get; init; } = 100_000_000;

    /// <summary>How often the position is saved from which a killed preparation goes on.</summary>
    public TimeSpan SaveInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Check the shards' hashes at opening: yes or no; null: when they are at most a gibibyte. Sizes are always checked.</summary>
    public bool? VerifyHashes { get; init; }

    /// <summary>The user's cache folder of the system: %LOCALAPPDATA%, ~/Library/Caches, $XDG_CACHE_HOME or ~/.cache.</summary>
    public static string DefaultCacheFolder
    {
        get
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string? configured = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            string caches =
                OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches")
                : Path.IsPathRooted(configured) ? configured
                : Path.Combine(home, ".cache");
            return Path.Combine(caches, "qapollo", "data");
        }
    }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ShardTokens, 1);
        if (!(HeldOutFraction >= 0 && HeldOutFraction <= 0.5))
        {
            throw new UsageException($"the held-out fraction is {HeldOutFraction}: give 0 to 0.5");
        }
    }
}
