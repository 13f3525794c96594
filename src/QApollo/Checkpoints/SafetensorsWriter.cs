using System.Buffers;
using System.Security.Cryptography;
using QApollo.Files;

namespace QApollo.Checkpoints;

/// <summary>Produces the bytes of a tensor piece by piece.</summary>
/// <param name="offset">Byte of the tensor that the piece begins with; a multiple of 8.</param>
/// <param name="piece">To be filled; a multiple of 8 bytes except at the tensor's end.</param>
public delegate void SafetensorsSource(long offset, Span<byte> piece);

/// <summary>
/// Writes a safetensors file of any size through one small buffer. All tensors are declared first; then the bytes
/// of each of <see cref="Entries"/> are written, in that order. The file has its name only after
/// <see cref="Complete"/>; disposing before that leaves nothing.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly PendingFile file;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] buffer;
    private int buffered;
    private int current;
    private long written;
    private bool disposed;

    /// <param name="metadata">Strings for the header; none if null.</param>
    /// <exception cref="ArgumentException">A name is used twice or is reserved, or an extent is negative.</exception>
    /// <exception cref="RunFailedException">The file cannot be created, or the disk has no room for it.</exception>
    public SafetensorsWriter(string path, IEnumerable<SafetensorsDeclaration> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var header = SafetensorsHeader.Create(tensors, metadata);
        byte[] headerBytes = header.ToBytes();
        if (headerBytes.Length - SafetensorsHeader.LengthBytes > SafetensorsHeader.MaxBytes)
        {
            throw new ArgumentException($"a header of {headerBytes.Length} bytes is more than the format allows", nameof(tensors));
        }

        Entries = header.Entries;
        FileBytes = checked(headerBytes.Length + header.DataBytes);
        file = new PendingFile(path, FileBytes);
        buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            Append(headerBytes);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The tensors in the order in which their bytes are to be written: those with larger elements first.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Size of the complete file.</summary>
    public long FileBytes { get; }

    /// <summary>Writes the next bytes of a tensor; several calls may make up one.</summary>
    /// <exception cref="InvalidOperationException">Another tensor's turn, or more bytes than the tensor has left.</exception>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public void Write(SafetensorsEntry entry, ReadOnlySpan<byte> bytes)
    {
        BeginPiece(entry, bytes.Length);
        Append(bytes);
        written += bytes.Length;
    }

    /// <summary>Writes a whole tensor that <paramref name="source"/> produces piece by piece.</summary>
    /// <inheritdoc cref="Write(SafetensorsEntry, ReadOnlySpan{byte})" path="/exception"/>
    public void Write(SafetensorsEntry entry, SafetensorsSource source)
    {
        BeginPiece(entry, entry.ByteLength);
        while (written < entry.ByteLength)
        {
            Flush();
            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(BufferBytes, entry.ByteLength - written));
            source(written, piece);
            buffered = piece.Length;
            written += piece.Length;
        }
    }

    /// <summary>Flushes the file to the disk and gives it its name.</summary>
    /// <returns>SHA-256 of the whole file, lower-case hexadecimal.</returns>
    /// <exception cref="InvalidOperationException">Bytes are missing.</exception>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public string Complete()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        SkipComplete();
        if (current < Entries.Count)
        {
            throw new InvalidOperationException($"{Entries[current]}: {Entries[current].ByteLength - written} bytes were not written");
        }

        Flush();
        file.Commit();
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        file.Dispose();
        hash.Dispose();
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private void BeginPiece(SafetensorsEntry entry, long bytes)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (entry.ByteLength == 0 && bytes == 0)
        {
            return;
        }

        SkipComplete();
        if (current == Entries.Count || !ReferenceEquals(Entries[current], entry))
        {
            throw new InvalidOperationException($"{entry} is not due; next is {(current < Entries.Count ? Entries[current] : "the end")}");
        }

        if (bytes > entry.ByteLength - written)
        {
            throw new InvalidOperationException($"{bytes} bytes for {entry}, which has {entry.ByteLength - written} left");
        }
    }

    private void SkipComplete()
    {
        while (current < Entries.Count && written == Entries[current].ByteLength)
        {
            current++;
            written = 0;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > BufferBytes - buffered)
        {
            Flush();
        }

        if (bytes.Length > BufferBytes)
        {
            hash.AppendData(bytes);
            file.Write(bytes);
            return;
        }

        bytes.CopyTo(buffer.AsSpan(buffered));
        buffered += bytes.Length;
    }

    private void Flush()
    {
        ReadOnlySpan<byte> bytes = buffer.AsSpan(0, buffered);
        hash.AppendData(bytes);
        file.Write(bytes);
        buffered = 0;
    }
}
