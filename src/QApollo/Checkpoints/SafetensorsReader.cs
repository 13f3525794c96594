using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using QApollo.Files;

namespace QApollo.Checkpoints;

/// <summary>
/// Reads a safetensors file tensor by tensor, straight into the caller's memory. The header is checked whole when
/// the file is opened; the file may be larger than memory. Reads may come from several threads.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly long dataStart;
    private readonly Dictionary<string, SafetensorsEntry> byName;

    /// <exception cref="InvalidFileException">The file is broken, truncated, or no safetensors file.</exception>
    /// <exception cref="RunFailedException">The file is missing or cannot be read.</exception>
    public SafetensorsReader(string path)
    {
        Path = path;
        handle = Open(path);
        try
        {
            byte[] json = ReadHeader();
            dataStart = SafetensorsHeader.LengthBytes + json.Length;
            SafetensorsHeader header = SafetensorsHeaderParser.Parse(json, RandomAccess.GetLength(handle) - dataStart, path);
            Entries = header.Entries;
            Metadata = header.Metadata;
            byName = header.Entries.ToDictionary(entry => entry.Name);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public SafetensorsEntry? TryFind(string name) => byName.GetValueOrDefault(name);

    /// <exception cref="InvalidFileException">There is no tensor of that name.</exception>
    public SafetensorsEntry Find(string name) => TryFind(name) ?? throw new InvalidFileException(Path, $"has no tensor '{name}'");

    /// <summary>Reads a whole tensor.</summary>
    /// <param name="destination">Exactly the tensor's bytes.</param>
    /// <exception cref="RunFailedException">The disk fails, or the file became shorter since it was opened.</exception>
    public void Read(SafetensorsEntry entry, Span<byte> destination)
    {
        if (destination.Length != entry.ByteLength)
        {
            throw new ArgumentException($"{destination.Length} bytes for {entry}, which has {entry.ByteLength}", nameof(destination));
        }

        Read(entry, 0, destination);
    }

    /// <summary>Reads a part of a tensor: as many bytes as <paramref name="destination"/> has, from byte <paramref name="offset"/> on.</summary>
    /// <inheritdoc cref="Read(SafetensorsEntry, Span{byte})" path="/exception"/>
    public void Read(SafetensorsEntry entry, long offset, Span<byte> destination)
    {
        if (offset < 0 || offset > entry.ByteLength - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), $"bytes {offset} to {offset + destination.Length} of {entry}, which has {entry.ByteLength}");
        }

        ReadExactly(dataStart + entry.Offset + offset, destination, entry.Name);
    }

    public void Dispose() => handle.Dispose();

    private byte[] ReadHeader()
    {
        long fileBytes = RandomAccess.GetLength(handle);
        if (fileBytes < SafetensorsHeader.LengthBytes)
        {
            throw new InvalidFileException(Path, $"holds only {fileBytes} bytes; a safetensors file starts with the length of its header in 8");
        }

        Span<byte> length = stackalloc byte[SafetensorsHeader.LengthBytes];
        ReadExactly(0, length, "header");
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (headerBytes > (ulong)(fileBytes - SafetensorsHeader.LengthBytes) || headerBytes > SafetensorsHeader.MaxBytes)
        {
            throw new InvalidFileException(
                Path, $"a header of {headerBytes} bytes is more than the file ({fileBytes} bytes) or the format allows; it is truncated or no safetensors file");
        }

        byte[] json = new byte[headerBytes];
        ReadExactly(SafetensorsHeader.LengthBytes, json, "header");
        return json;
    }

    private void ReadExactly(long position, Span<byte> destination, string what)
    {
        try
        {
            while (destination.Length > 0)
            {
                int count = RandomAccess.Read(handle, destination, position);
                if (count == 0)
                {
                    throw new InvalidFileException(Path, $"became shorter while it was read ('{SafetensorsHeaderParser.Shown(what)}' is not complete)");
                }

                position += count;
                destination = destination[count..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{Path}: cannot be read ('{SafetensorsHeaderParser.Shown(what)}'): {e.Message}", e);
        }
    }

    private static SafeFileHandle Open(string path)
    {
        try
        {
            return RegularFile.OpenHandle(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be opened: {e.Message}", e);
        }
    }
}
