namespace QApollo.Data;

/// <summary>
/// A file's content. A compression bomb is refused: beyond <see cref="FreeBytes"/>, content that is more than
/// <see cref="MaxRatio"/> times what was read of the file is no text that people write (prose gives 3 to 4, logs up to 50).
/// </summary>
internal sealed class DecompressedStream : ForwardStream
{
    public const int MaxRatio = 256;
    public const long FreeBytes = 1L << 28;

    private readonly CorpusFile _file;
    private readonly FileStream _source;
    private readonly Stream _content;
    private long _bytes;

    private DecompressedStream(CorpusFile file, FileStream source, Stream content) => (_file, _source, _content) = (file, source, content);

    /// <param name="source">Of the file; disposed with the stream that is returned, which is itself when nothing is compressed.</param>
    public static Stream Open(CorpusFile file, FileStream source) => file.Compression switch
    {
        FileCompression.Gzip => new DecompressedStream(file, source, new WholeGzipStream(source)),
        FileCompression.Zstandard => new DecompressedStream(file, source, new ZstandardStream(file.Path, source)),
        _ => source,
    };

    /// <exception cref="InvalidFileException">The file expands beyond all measure.</exception>
    public static void CheckRatio(string path, long contentBytes, long fileBytes)
    {
        if (contentBytes > FreeBytes && contentBytes / MaxRatio > fileBytes)
        {
            throw new InvalidFileException(
                path, $"expands to more than {MaxRatio} times its size, as a compression bomb does: if it is text that you want, decompress it yourself");
        }
    }

    public override int Read(Span<byte> buffer)
    {
        int read = _content.Read(buffer);
        _bytes += read;
        CheckRatio(_file.Path, _bytes, _source.Position);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _content.Dispose();
        }

        base.Dispose(disposing);
    }
}
