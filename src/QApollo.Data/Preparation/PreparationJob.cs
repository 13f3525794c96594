using System.Diagnostics;
using System.Text.RegularExpressions;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>Makes one dataset's shards. Holds the folder's lock, so that two processes never write the same dataset.</summary>
internal sealed partial class PreparationJob : IDisposable
{
    private readonly string _folder;
    private readonly string _key;
    private readonly IReadOnlyList<CorpusFile> _files;
    private readonly string[] _hashes;
    private readonly ITokenizer _tokenizer;
    private readonly PreparationOptions _options;
    private readonly ProgressReport _report;
    private readonly FolderLock _lock;
    private readonly Dictionary<int, Replacements> _replaced = [];
    private readonly Dictionary<int, SkippedRows> _rows = [];
    private PreparationState _state;
    private bool _hasSaved;
    private TokenShardWriter? _train;
    private TokenShardWriter? _heldOut;

    /// <exception cref="UsageException">The folder holds the unfinished work of other data, or files of somebody else.</exception>
    /// <exception cref="RunFailedException">Another process works in the folder, or it cannot be written.</exception>
    public PreparationJob(
        string folder,
        string key,
        IReadOnlyList<CorpusFile> files,
        string[] hashes,
        ITokenizer tokenizer,
        PreparationOptions options,
        ProgressReport report)
    {
        _folder = folder;
        _key = key;
        _files = files;
        _hashes = hashes;
        _tokenizer = tokenizer;
        _options = options;
        _report = report;
        if (FolderLock.FindForeign(folder) is { } foreign)
        {
            throw new UsageException($"{foreign}: is no file of this program, which needs that name: choose another folder");
        }

        _lock = FolderLock.Take(folder, "preparing data");
        _state = PreparationState.TryRead(folder) ?? PreparationState.Begin(key);
        _hasSaved = _state.Position != default;
        if (_state.Key != key)
        {
            Dispose();
            throw new UsageException($"{folder}: holds an unfinished preparation of other data: choose another folder, or delete it");
        }
    }

    /// <summary>Files of the folder that have the names of this job's.</summary>
    private IEnumerable<string> ShardFiles => Directory.EnumerateFiles(_folder).Where(file => ShardName().IsMatch(Path.GetFileName(file)));

    /// <summary>Works from the saved position to the end of the corpus, then completes the dataset.</summary>
    /// <exception cref="RunFailedException">The text is broken, or the disk full. What was saved before stays when it is of use.</exception>
    public void Run(CancellationToken cancellation)
    {
        if (DatasetManifestFile.Exists(_folder))
        {
            // Another process has finished it while this one waited for its turn.
            return;
        }

        TakeFolder();
        OpenWriters();
        _report.Begin(PreparationPhase.Tokenizing, _files.Sum(file => file.Length), _state);
        try
        {
            Tokenize(cancellation);
            Complete();
        }
        catch (OperationCanceledException)
        {
            Save();
            throw;
        }
        catch (Exception e) when (e is InvalidFileException or UsageException || (e is RunFailedException && !_hasSaved))
        {
            // Either the text must be changed, and has another key then, or there is no position to go on from.
            Discard();
            throw;
        }
    }

    public void Dispose()
    {
        _train?.Dispose();
        _heldOut?.Dispose();
        _lock.Dispose();
    }

    /// <summary>Leaves a word that the folder's shards are this job's. Without one they may be a person's own, and are not overwritten.</summary>
    /// <exception cref="UsageException">A folder that a person named has such files.</exception>
    private void TakeFolder()
    {
        if (File.Exists(Path.Combine(_folder, PreparationState.FileName)))
        {
            return;
        }

        if (_options.OutputFolder is not null && ShardFiles.FirstOrDefault() is { } other)
        {
            throw new UsageException($"{other}: would be overwritten: choose another folder, or delete it");
        }

        _state.Write(_folder);
    }

    private void OpenWriters()
    {
        try
        {
            _train = Writer("train", _state.Train);
            _heldOut = Writer("validation", _state.HeldOut);
        }
        catch (InvalidFileException)
        {
            _train?.Dispose();
            _state = PreparationState.Begin(_key);
            _hasSaved = false;
            _train = Writer("train", _state.Train);
            _heldOut = Writer("validation", _state.HeldOut);
        }

        foreach (SourceReplacements replaced in _state.Replacements)
        {
            _replaced[replaced.Source] = new Replacements(replaced.Count, replaced.FirstOffset);
        }

        foreach (SourceRows rows in _state.Rows ?? [])
        {
            _rows[rows.Source] = new SkippedRows(rows.WithTexts, rows.Skipped, rows.Wrong, rows.First);
        }
    }

    private TokenShardWriter Writer(string name, ShardWriterState state) =>
        new(_folder, name, _tokenizer.VocabularySize, _options.ShardTokens, state);

    private void Tokenize(CancellationToken cancellation)
    {
        var split = new HeldOutSplit(_options.HeldOutFraction, _options.SplitSeed);
        using var reader = new ChunkReader(_files, _state.Position, _options.TextField, _options.Threads);
        IEnumerable<TokenizedChunk> chunks = TokenizationPipeline.Run(
            reader,
            () => new TokenizedChunk(_tokenizer, split, new DocumentParser(_options.TextField, _options.Strict)),
            _options.Threads,
            cancellation);
        var sinceSave = Stopwatch.StartNew();
        foreach (TokenizedChunk chunk in chunks)
        {
            Append(chunk);
            _report.Tokenized(_state.SourceBytes, _state.Documents, _state.TextBytes, _train!.Tokens + _heldOut!.Tokens);
            if (sinceSave.Elapsed >= _options.SaveInterval)
            {
                Save();
                sinceSave.Restart();
            }
        }
    }

    private void Append(TokenizedChunk chunk)
    {
        bool heldOut = _state.SideHeldOut;
        int begin = 0;
        foreach (TokenRun run in chunk.Runs)
        {
            heldOut = run.HeldOut ?? heldOut;
            (heldOut ? _heldOut! : _train!).Append(chunk.Ids[begin..run.End]);
            begin = run.End;
        }

        if (chunk.Replaced.Count > 0)
        {
            _replaced[chunk.File] = _replaced.GetValueOrDefault(chunk.File, Replacements.None).Then(chunk.Replaced);
        }

        if (_files[chunk.File].HasRows)
        {
            SkippedRows rows = _rows.GetValueOrDefault(chunk.File).Then(chunk.Skipped);
            rows.RequireText(_files[chunk.File].Path, atEnd: chunk.End.File > chunk.File);
            _rows[chunk.File] = rows;
        }

        _state = _state with
        {
            Position = chunk.End,
            SideHeldOut = heldOut,
            SourceBytes = chunk.SourceBytes,
            Documents = _state.Documents + chunk.Documents,
            TextBytes = _state.TextBytes + chunk.TextBytes,
        };
    }

    /// <summary>Tokens first, then the position behind them: a kill in between only repeats work.</summary>
    private void Save()
    {
        _state = _state with
        {
            Train = _train!.Save(),
            HeldOut = _heldOut!.Save(),
            Replacements = [.. _replaced.OrderBy(r => r.Key).Select(r => new SourceReplacements(r.Key, r.Value.Count, r.Value.FirstOffset))],
            Rows = _rows.Count == 0
                ? null
                : [.. _rows.OrderBy(r => r.Key).Select(r => new SourceRows(r.Key, r.Value.WithTexts, r.Value.Count, r.Value.Wrong, r.Value.First))],
        };
        _state.Write(_folder);
        _hasSaved = true;
    }

    private void Complete()
    {
        // The end of a file may come out only behind its last chunk.
        foreach ((int file, SkippedRows rows) in _rows)
        {
            rows.RequireText(_files[file].Path, atEnd: true);
        }

        long trainTokens = _train!.Tokens;
        long tokens = trainTokens + _heldOut!.Tokens;
        if (tokens == 0)
        {
            throw new UsageException($"data: {_files[0].Path}{(_files.Count > 1 ? $" and {_files.Count - 1} more files have" : " has")} no text");
        }

        // A kill while the last shards get their names must find where their tokens ended.
        Save();
        var split = new HeldOutSplit(_options.HeldOutFraction, _options.SplitSeed);
        (HeldOutKind kind, TokenRange train, TokenRange validation) = split.Parts(trainTokens, tokens - trainTokens);
        DatasetManifestFile.Write(_folder, new DatasetManifest(
            DatasetManifest.FormatName,
            DatasetManifest.CurrentVersion,
            _key,
            TokenizerRecord.Of(_tokenizer),
            _state.Documents,
            tokens,
            _state.TextBytes,
            _replaced.Values.Sum(r => r.Count),
            kind,
            train,
            validation,
            [.. _train.Complete(), .. _heldOut.Complete()],
            [.. _files.Select(Source)],
            Checksum: string.Empty));
        File.Delete(Path.Combine(_folder, PreparationState.FileName));
    }

    private SourceRecord Source(CorpusFile file, int number)
    {
        var record = new SourceRecord(file.Path, file.Length, _hashes[number]);
        if (_replaced.TryGetValue(number, out Replacements replaced))
        {
            record = record with { Replaced = replaced.Count, FirstReplaced = replaced.FirstOffset };
        }

        return _rows.TryGetValue(number, out SkippedRows rows) && rows.Count > 0
            ? record with { Skipped = rows.Count, FirstSkipped = rows.First }
            : record;
    }

    private void Discard()
    {
        _train?.Dispose();
        _heldOut?.Dispose();
        foreach (string file in (string[])[.. ShardFiles, Path.Combine(_folder, PreparationState.FileName)])
        {
            File.Delete(file);
        }

        _lock.Dispose();
        if (Directory.Exists(_folder) && !Directory.EnumerateFileSystemEntries(_folder).Any())
        {
            Directory.Delete(_folder);
        }
    }

    [GeneratedRegex("^(train|validation)-[0-9]{6,}\\.bin(\\.tmp)?$")]
    private static partial Regex ShardName();
}
