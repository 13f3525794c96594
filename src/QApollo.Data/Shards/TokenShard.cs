using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>
/// One token shard. Read by the system's calls, not mapped into memory: a file that is cut short while a run reads it must
/// become an error, not the end of the process. Safe to read from many threads.
/// </summary>
internal sealed class TokenShard : IDisposable
{
    private readonly TokenShardHeader _header;
    private readonly SafeFileHandle _file;

    /// <exception cref="RunFailedException">The file cannot be read, or is no whole token shard.</exception>
    public TokenShard(string path)
    {
        Path = path;
        try
        {
            _file = RegularFile.OpenHandle(path);
            try
            {
                Span<byte> bytes = stackalloc byte[TokenShardHeader.Bytes];
                int read = RandomAccess.Read(_file, bytes, fileOffset: 0);
                _header = TokenShardHeader.Read(bytes[..read], RandomAccess.GetLength(_file), path);
            }
            catch
            {
                _file.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    public string Path { get; }

    public int Count => _header.Tokens;

    public long FileBytes => _header.FileBytes;

    /// <summary>Copies tokens <paramref name="start"/> .. <paramref name="start"/> + <c>ids.Length</c> - 1, which the shard must have. Allocates nothing.</summary>
    /// <exception cref="RunFailedException">The disk fails, or the file became shorter since it was opened.</exception>
    public void Read(int start, Span<int> ids)
    {
        long offset = TokenShardHeader.Bytes + ((long)start * _header.TokenBytes);
        if (_header.TokenBytes == 4)
        {
            ReadExactly(offset, MemoryMarshal.AsBytes(ids));
            return;
        }

        // Into the upper half of the destination, then widened from the front: writing id i of n covers halves 2i - n and
        // 2i - n + 1, which are read by then.
        Span<ushort> halves = MemoryMarshal.Cast<int, ushort>(ids)[ids.Length..];
        ReadExactly(offset, MemoryMarshal.AsBytes(halves));
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = halves[i];
        }
    }

    public void Dispose() => _file.Dispose();

    private void ReadExactly(long offset, Span<byte> destination)
    {
        try
        {
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(_file, destination, offset);
                if (count == 0)
                {
                    throw new InvalidFileException(Path, "became shorter while it was read");
                }

                destination = destination[count..];
                offset += count;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{Path}: cannot be read: {e.Message}", e);
        }
    }
}
