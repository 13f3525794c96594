using System.IO.Compression;

namespace QApollo.Data;

/// <summary>
/// Decompresses gzip and notices when it was cut short, which <see cref="GZipStream"/> takes for the end: a small gzip
/// member of known content is put behind the file (members in a row are one stream), and must come out last.
/// </summary>
internal sealed class WholeGzipStream : ForwardStream
{
    private static readonly byte[] EndMark = [.. "the end, the end, the end, "u8];

    private readonly GZipStream _content;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _begin;
    private int _end;
    private bool _atEnd;

    /// <param name="compressed">Disposed with this stream.</param>
    public WholeGzipStream(Stream compressed) =>
        _content = new GZipStream(new Followed(compressed, Compress(EndMark)), CompressionMode.Decompress);

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The data is damaged or cut short.</exception>
    public override int Read(Span<byte> buffer)
    {
        // The last bytes are held back: they may be the mark.
        while (_end - _begin <= EndMark.Length && !_atEnd)
        {
            _buffer.AsSpan(_begin, _end - _begin).CopyTo(_buffer);
            _end -= _begin;
            _begin = 0;
            int read = _content.Read(_buffer.AsSpan(_end));
            _end += read;
            _atEnd = read == 0;
        }

        if (_atEnd && !_buffer.AsSpan(_begin, _end - _begin).EndsWith(EndMark))
        {
            throw new InvalidDataException("the compressed data ends too early.");
        }

        int count = Math.Min(buffer.Length, _end - _begin - EndMark.Length);
        _buffer.AsSpan(_begin, count).CopyTo(buffer);
        _begin += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _content.Dispose();
        }

        base.Dispose(disposing);
    }

    private static byte[] Compress(byte[] bytes)
    {
        using var result = new MemoryStream();
        using (var gzip = new GZipStream(result, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(bytes);
        }

        return result.ToArray();
    }

    /// <summary>A stream, then some bytes.</summary>
    private sealed class Followed(Stream first, byte[] last) : ForwardStream
    {
        private int _given;

        public override int Read(Span<byte> buffer)
        {
            int read = first.Read(buffer);
            if (read == 0)
            {
                read = Math.Min(buffer.Length, last.Length - _given);
                last.AsSpan(_given, read).CopyTo(buffer);
                _given += read;
            }

            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                first.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
