using System.IO.Compression;

namespace QApollo.Data;

/// <summary>
/// Decompresses gzip and notices when it was cut short, which <see cref="GZipStream"/> takes for the end: a small gzip
/// member of known content is put behind the file (members in a row are one stream), and must come out last. Zeros behind the
/// last member are padding, as gzip itself takes them (tapes and dd leave them).
/// </summary>
internal sealed class WholeGzipStream : ForwardStream
{
    private static readonly byte[] EndMark = [.. "the end, the end, the end, "u8];

    private readonly Followed _compressed;
    private readonly GZipStream _content;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _begin;
    private int _end;
    private bool _atEnd;

    /// <param name="compressed">Disposed with this stream.</param>
    public WholeGzipStream(Stream compressed)
    {
        _compressed = new Followed(compressed, Compress(EndMark));
        _content = new GZipStream(_compressed, CompressionMode.Decompress);
    }

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

        // Before its padding the data ended as it should: the mark was not asked for.
        int mark = _atEnd && _compressed.IsInPadding ? 0 : EndMark.Length;
        if (_atEnd && mark > 0 && !_buffer.AsSpan(_begin, _end - _begin).EndsWith(EndMark))
        {
            throw new InvalidDataException("the compressed data ends too early.");
        }

        int count = Math.Min(buffer.Length, _end - _begin - mark);
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

    /// <summary>
    /// A stream, then some bytes. The zeros that the stream ends with come one at a time: some belong to the last member,
    /// and the decompressor stops at the first that does not.
    /// </summary>
    private sealed class Followed(Stream first, byte[] last) : ForwardStream
    {
        private readonly byte[] _chunk = new byte[1 << 16];
        private int _begin;
        private int _end;
        private long _zerosBeforeChunk;
        private long _zeros;
        private bool _firstEnded;
        private int _given;

        /// <summary>The stream has ended, and nothing of what follows it was read.</summary>
        public bool IsInPadding => _firstEnded && _given == 0;

        public override int Read(Span<byte> buffer)
        {
            while (_begin == _end && !_firstEnded)
            {
                ReadChunk();
            }

            if (_zerosBeforeChunk > 0)
            {
                int zeros = (int)Math.Min(buffer.Length, _zerosBeforeChunk);
                buffer[..zeros].Clear();
                _zerosBeforeChunk -= zeros;
                return zeros;
            }

            if (_begin < _end)
            {
                int count = Math.Min(buffer.Length, _end - _begin);
                _chunk.AsSpan(_begin, count).CopyTo(buffer);
                _begin += count;
                return count;
            }

            if (_zeros > 0)
            {
                _zeros--;
                buffer[0] = 0;
                return 1;
            }

            int rest = Math.Min(buffer.Length, last.Length - _given);
            last.AsSpan(_given, rest).CopyTo(buffer);
            _given += rest;
            return rest;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                first.Dispose();
            }

            base.Dispose(disposing);
        }

        /// <summary>Takes the next bytes up to the last that is not zero; what is behind it is only counted.</summary>
        private void ReadChunk()
        {
            int read = first.Read(_chunk);
            _firstEnded = read == 0;
            int content = _chunk.AsSpan(0, read).LastIndexOfAnyExcept((byte)0) + 1;
            if (content == 0)
            {
                _zeros += read;
                return;
            }

            (_begin, _end) = (0, content);
            _zerosBeforeChunk = _zeros;
            _zeros = read - content;
        }
    }
}
