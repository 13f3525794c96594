using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace QApollo.Data;

/// <summary>One token shard, memory-mapped. Safe to read from many threads.</summary>
internal sealed class TokenShard : IDisposable
{
    private readonly TokenShardHeader _header;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    /// <exception cref="RunFailedException">The file cannot be read, or is no whole token shard.</exception>
    public TokenShard(string path)
    {
        Path = path;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            Span<byte> bytes = stackalloc byte[TokenShardHeader.Bytes];
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            _header = TokenShardHeader.Read(bytes[..read], stream.Length, path);
            _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            _view = _file.CreateViewAccessor(0, _header.FileBytes, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    public string Path { get; }

    public int Count => _header.Tokens;

    public long FileBytes => _header.FileBytes;

    /// <summary>Copies tokens <paramref name="start"/> .. <paramref name="start"/> + <c>ids.Length</c> - 1, which the shard must have.</summary>
    public void Read(int start, Span<int> ids)
    {
        ulong offset = TokenShardHeader.Bytes + ((ulong)start * (ulong)_header.TokenBytes);
        if (_header.TokenBytes == 4)
        {
            _view.SafeMemoryMappedViewHandle.ReadSpan(offset, ids);
            return;
        }

        // Into the upper half of the destination, then widened from the front: writing id i of n covers halves 2i - n and
        // 2i - n + 1, which are read by then.
        Span<ushort> halves = MemoryMarshal.Cast<int, ushort>(ids)[ids.Length..];
        _view.SafeMemoryMappedViewHandle.ReadSpan(offset, halves);
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = halves[i];
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
