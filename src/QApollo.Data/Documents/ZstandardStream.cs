using ZstdSharp;
using ZstdSharp.Unsafe;

namespace QApollo.Data;

/// <summary>
/// Decompresses Zstandard (RFC 8878): frames in a row are one stream, skippable ones are passed over, and a file that was
/// cut short is noticed. Memory: the window, at most 2^<see cref="MaxWindowLog"/> bytes as in zstd itself.
/// </summary>
internal sealed class ZstandardStream : ForwardStream
{
    /// <summary>Larger windows (of <c>zstd --long=28</c> and up) are refused: a file could demand 2 GiB of memory.</summary>
    public const int MaxWindowLog = 27;

    private readonly string _path;
    private readonly DecompressionStream _content;

    /// <param name="compressed">Disposed with this stream.</param>
    public ZstandardStream(string path, Stream compressed)
    {
        _path = path;
        _content = new DecompressionStream(compressed, bufferSize: 1 << 17, checkEndOfStream: true, leaveOpen: false);
        _content.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowLog);
    }

    /// <exception cref="InvalidFileException">The window is too large.</exception>
    /// <exception cref="InvalidDataException">The data is damaged.</exception>
    /// <exception cref="EndOfStreamException">The data is cut short.</exception>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            return _content.Read(buffer);
        }
        catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge)
        {
            throw new InvalidFileException(
                _path,
                $"its Zstandard window is larger than {1 << (MaxWindowLog - 20)} MiB: compress it again with zstd -dc --long=31 FILE | zstd -o NEW",
                e);
        }
        catch (ZstdException e) when (e.Code == ZSTD_ErrorCode.ZSTD_error_dictionary_wrong)
        {
            throw new InvalidFileException(_path, "is compressed with a dictionary: compress it again with zstd -dc -D DICTIONARY FILE | zstd -o NEW", e);
        }
        catch (ZstdException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
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
