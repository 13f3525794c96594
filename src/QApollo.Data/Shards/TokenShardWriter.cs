using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>One finished token shard.</summary>
/// <param name="File">Name inside the dataset's folder.</param>
/// <param name="Sha256">Of the whole file, hexadecimal.</param>
public sealed record ShardRecord(string File, int Tokens, string Sha256);

/// <summary>What a writer needs to go on after the process was killed.</summary>
/// <param name="Finished">Shards that have their final name.</param>
/// <param name="PendingTokens">Tokens of the next shard that are on the disk.</param>
internal sealed record ShardWriterState(IReadOnlyList<ShardRecord> Finished, int PendingTokens)
{
    public static ShardWriterState Empty { get; } = new([], 0);

    public long Tokens => Finished.Sum(shard => (long)shard.Tokens) + PendingTokens;
}

/// <summary>Writes tokens into shards of equal size named <c>name-000000.bin</c>, each under a temporary name until it is complete and on the disk.</summary>
internal sealed class TokenShardWriter : IDisposable
{
    private readonly string _folder;
    private readonly string _name;
    private readonly int _tokenBytes;
    private readonly int _shardTokens;
    private readonly List<ShardRecord> _finished;
    private readonly byte[] _buffer = new byte[1 << 18];
    private int _buffered;
    private int _pendingTokens;
    private FileStream? _stream;

    /// <param name="state">Of <see cref="Save"/>, or <see cref="ShardWriterState.Empty"/>; files written after it are removed.</param>
    /// <exception cref="RunFailedException">What the state tells is not on the disk, or the folder cannot be written.</exception>
    public TokenShardWriter(string folder, string name, int vocabularySize, int shardTokens, ShardWriterState state)
    {
        _folder = folder;
        _name = name;
        _tokenBytes = TokenShardHeader.TokenBytesFor(vocabularySize);
        _shardTokens = shardTokens;
        _finished = [.. state.Finished];
        _pendingTokens = state.PendingTokens;
        Guard(Restore);
    }

    public long Tokens => _finished.Sum(shard => (long)shard.Tokens) + _pendingTokens;

    private string PendingPath => Path.Combine(_folder, FileName(_finished.Count) + ".tmp");

    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public void Append(ReadOnlySpan<int> ids)
    {
        while (!ids.IsEmpty)
        {
            if (_pendingTokens == _shardTokens)
            {
                Guard(FinishShard);
            }

            int room = Math.Min(_shardTokens - _pendingTokens, (_buffer.Length - _buffered) / _tokenBytes);
            if (room == 0)
            {
                Guard(Drain);
                continue;
            }

            int count = Math.Min(room, ids.Length);
            Encode(ids[..count], _buffer.AsSpan(_buffered));
            _buffered += count * _tokenBytes;
            _pendingTokens += count;
            ids = ids[count..];
        }
    }

    /// <summary>Brings everything to the disk.</summary>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public ShardWriterState Save()
    {
        Guard(() =>
        {
            Drain();
            _stream?.Flush(flushToDisk: true);
        });
        return new ShardWriterState([.. _finished], _pendingTokens);
    }

    /// <summary>Finishes the last shard.</summary>
    /// <returns>All shards.</returns>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public IReadOnlyList<ShardRecord> Complete()
    {
        if (_pendingTokens > 0)
        {
            Guard(FinishShard);
        }

        return _finished;
    }

    public void Dispose() => _stream?.Dispose();

    private string FileName(int number) => string.Create(CultureInfo.InvariantCulture, $"{_name}-{number:D6}.bin");

    private void Restore()
    {
        foreach (ShardRecord shard in _finished)
        {
            Require(Path.Combine(_folder, shard.File), TokenShardHeader.Bytes + ((long)shard.Tokens * _tokenBytes));
        }

        string finished = Path.Combine(_folder, FileName(_finished.Count));
        if (_pendingTokens > 0)
        {
            // Finished after the state was saved: it has more tokens than the state tells, and gets them again.
            if (!File.Exists(PendingPath) && File.Exists(finished))
            {
                File.Move(finished, PendingPath);
            }

            long bytes = TokenShardHeader.Bytes + ((long)_pendingTokens * _tokenBytes);
            Require(PendingPath, bytes);
            _stream = new FileStream(PendingPath, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            _stream.SetLength(bytes);
            _stream.Position = bytes;
        }

        for (int number = _finished.Count + (_pendingTokens > 0 ? 1 : 0); ; number++)
        {
            string later = Path.Combine(_folder, FileName(number));
            if (!File.Exists(later) && !File.Exists(later + ".tmp"))
            {
                break;
            }

            File.Delete(later);
            File.Delete(later + ".tmp");
        }
    }

    private static void Require(string path, long bytes)
    {
        var file = new FileInfo(path);
        if (!file.Exists || file.LinkTarget is not null || file.Length < bytes)
        {
            throw new InvalidFileException(path, "the unfinished dataset is damaged: a file is missing or short");
        }
    }

    private void Encode(ReadOnlySpan<int> ids, Span<byte> destination)
    {
        if (_tokenBytes == 2)
        {
            for (int i = 0; i < ids.Length; i++)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(destination[(2 * i)..], (ushort)ids[i]);
            }
        }
        else
        {
            for (int i = 0; i < ids.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(destination[(4 * i)..], ids[i]);
            }
        }
    }

    private void Drain()
    {
        if (_buffered == 0)
        {
            return;
        }

        if (_stream is null)
        {
            _stream = PendingFile.CreateNew(PendingPath);
            _stream.Write(new byte[TokenShardHeader.Bytes]);
        }

        _stream.Write(_buffer, 0, _buffered);
        _buffered = 0;
    }

    private void FinishShard()
    {
        Drain();
        FileStream stream = _stream!;
        Span<byte> header = stackalloc byte[TokenShardHeader.Bytes];
        new TokenShardHeader(_pendingTokens, _tokenBytes).Write(header);
        stream.Position = 0;
        stream.Write(header);
        stream.Flush(flushToDisk: true);
        stream.Position = 0;
        string hash = Convert.ToHexStringLower(SHA256.HashData(stream));
        stream.Dispose();
        _stream = null;

        string file = FileName(_finished.Count);
        Rename.File(PendingPath, Path.Combine(_folder, file));
        _finished.Add(new ShardRecord(file, _pendingTokens, hash));
        _pendingTokens = 0;
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{_folder}: cannot be written: {e.Message}", e);
        }
    }
}
