using System.Buffers.Binary;
using System.Text;
using QApollo.Files;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>
/// Writes a GGUF version 3 file of any size: magic, version, counts, key/value pairs, tensor descriptions, then each tensor at
/// a multiple of 32 bytes. Tensors are written in the order in which they were declared. The file has its name only after
/// <see cref="Complete"/>; disposing before that leaves nothing.
/// </summary>
internal sealed class GgufWriter : IDisposable
{
    public const int Alignment = 32;

    private const uint Version = 3;

    private readonly IReadOnlyList<GgufTensor> _tensors;
    private readonly PendingFile _file;
    private int _current;
    private long _written;

    /// <exception cref="RunFailedException">The file cannot be created, or the disk has no room for it.</exception>
    public GgufWriter(string path, GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors)
    {
        _tensors = tensors;
        byte[] header = Header(metadata, tensors);
        FileBytes = header.Length + tensors.Sum(tensor => Padded(tensor.Bytes));
        _file = new PendingFile(path, FileBytes);
        try
        {
            _file.Write(header);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public long FileBytes { get; }

    /// <summary>Writes the next bytes of the tensor that is due.</summary>
    /// <exception cref="InvalidOperationException">The tensor has fewer bytes left.</exception>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        GgufTensor tensor = _tensors[_current];
        if (bytes.Length > tensor.Bytes - _written)
        {
            throw new InvalidOperationException($"{bytes.Length} bytes for {tensor.Name}, which has {tensor.Bytes - _written} left");
        }

        _file.Write(bytes);
        _written += bytes.Length;
        if (_written == tensor.Bytes)
        {
            Span<byte> padding = stackalloc byte[Alignment];
            padding.Clear();
            _file.Write(padding[..(int)(Padded(_written) - _written)]);
            _current++;
            _written = 0;
        }
    }

    /// <summary>Flushes the file to the disk and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">Bytes are missing.</exception>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public void Complete()
    {
        if (_current < _tensors.Count)
        {
            throw new InvalidOperationException($"{_tensors[_current].Name}: {_tensors[_current].Bytes - _written} bytes were not written");
        }

        _file.Commit();
    }

    public void Dispose() => _file.Dispose();

    private static long Padded(long bytes) => checked((bytes + Alignment - 1) / Alignment * Alignment);

    private static byte[] Header(GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors)
    {
        using var stream = new MemoryStream();
        stream.Write("GGUF"u8);
        WriteUInt32(stream, Version);
        WriteUInt64(stream, (ulong)tensors.Count);
        WriteUInt64(stream, (ulong)metadata.Count);
        stream.Write(metadata.Bytes);
        long offset = 0;
        foreach (GgufTensor tensor in tensors)
        {
            byte[] name = Encoding.ASCII.GetBytes(tensor.Name);
            WriteUInt64(stream, (ulong)name.Length);
            stream.Write(name);

            // The fastest dimension first: [out, in] is {in, out}.
            long[] extents = tensor.IsVector ? [tensor.Columns] : [tensor.Columns, tensor.Rows];
            WriteUInt32(stream, (uint)extents.Length);
            foreach (long extent in extents)
            {
                WriteUInt64(stream, (ulong)extent);
            }

            WriteUInt32(stream, (uint)tensor.Type);
            WriteUInt64(stream, (ulong)offset);
            offset = checked(offset + Padded(tensor.Bytes));
        }

        stream.SetLength(Padded(stream.Length));
        return stream.ToArray();
    }

    private static void WriteUInt32(MemoryStream stream, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }

    private static void WriteUInt64(MemoryStream stream, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }
}
