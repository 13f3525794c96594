namespace QApollo.Files;

/// <summary>The lines of a stream, one after the other, in a buffer that grows to the longest of them.</summary>
/// <param name="path">Named in errors.</param>
/// <param name="mostBytes">A longer line is an error: no program of ours writes one.</param>
public sealed class LineReader(Stream stream, string path, int mostBytes = 16 << 20)
{
    private byte[] _buffer = new byte[Math.Min(1 << 18, mostBytes)];
    private int _begin;
    private int _end;

    /// <summary>The next line, without its end; it stands until the next call.</summary>
    /// <returns>False when there are no more.</returns>
    /// <exception cref="InvalidFileException">A line has more bytes than are allowed.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public bool TryRead(out ReadOnlySpan<byte> line)
    {
        int searched = 0;
        while (true)
        {
            int length = _buffer.AsSpan(_begin + searched, _end - _begin - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                line = _buffer.AsSpan(_begin, searched + length);
                _begin += searched + length + 1;
                return true;
            }

            searched = _end - _begin;
            if (!Fill())
            {
                line = _buffer.AsSpan(_begin, searched);
                _begin = _end;
                return searched > 0;
            }
        }
    }

    private bool Fill()
    {
        if (_begin > 0)
        {
            _buffer.AsSpan(_begin, _end - _begin).CopyTo(_buffer);
            (_begin, _end) = (0, _end - _begin);
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= mostBytes)
            {
                throw new InvalidFileException(path, $"has a line of more than {mostBytes} bytes");
            }

            Array.Resize(ref _buffer, (int)Math.Min(mostBytes, 2L * _buffer.Length));
        }

        int count = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += count;
        return count > 0;
    }
}
