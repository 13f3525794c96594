using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using CommunityToolkit.HighPerformance.Buffers;
using QApollo.Data.Parquet;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>
/// Reads a corpus from its beginning or any earlier chunk's end, in chunks whose borders depend on the content only. Memory:
/// one chunk, which is a megabyte unless a line is longer; of a .parquet, a few chunks for each of its decoders.
/// </summary>
/// <param name="textField">Column of a .parquet that has the text.</param>
/// <param name="decoders">Row groups of a .parquet that are decoded at once.</param>
internal sealed class ChunkReader(IReadOnlyList<CorpusFile> files, CorpusPosition start, string textField, int decoders) : IDisposable
{
    /// <summary>The longest line of a .jsonl, and text of a .parquet, that is read.</summary>
    public const int MaxLineBytes = 1 << 26;

    private readonly ArrayPoolBufferWriter<byte> _rest = new();
    private CorpusPosition _position = start;
    private long _sourceBytesBefore = files.Take(start.File).Sum(file => file.Length);
    private FileStream? _source;
    private Stream? _content;
    private ParquetRows? _rows;
    private bool _beginsDocument;

    private CorpusFile File => files[_position.File];

    /// <summary>The next chunk; the caller disposes it. False at the end of the corpus.</summary>
    /// <exception cref="RunFailedException">A file is damaged, cut short, or not UTF-8 at all, or has a line without end.</exception>
    public bool TryRead([NotNullWhen(true)] out TextChunk? chunk)
    {
        while (_position.File < files.Count)
        {
            CorpusFile file = File;
            try
            {
                if (_source is null)
                {
                    Open();
                }

                chunk = file.Format switch
                {
                    DocumentFormat.Parquet => ReadRows(),
                    DocumentFormat.JsonLines => ReadLines(),
                    _ => ReadPiece(),
                };
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw new InvalidFileException(file.Path, $"the {(file.Compression == FileCompression.Zstandard ? "Zstandard" : "gzip")} file is damaged or cut short: get it again", e);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new RunFailedException($"{file.Path}: cannot be read: {e.Message}", e);
            }

            if (chunk is not null)
            {
                return true;
            }
        }

        chunk = null;
        return false;
    }

    public void Dispose()
    {
        Close();
        _rest.Dispose();
    }

    private void Open()
    {
        // Plain text is read in large portions, straight into the chunk.
        int bufferSize = File.Compression == FileCompression.Gzip || File.Format == DocumentFormat.XmlDocumentation ? 1 << 16 : 0;
        _source = RegularFile.OpenRead(File.Path, bufferSize);
        CheckUnchanged(atEnd: false);
        if (File.Format == DocumentFormat.Parquet)
        {
            _rows = new ParquetRows(File, textField, _position.Offset, decoders);
            return;
        }

        Stream content = DecompressedStream.Open(File, _source);
        if (File.Format == DocumentFormat.XmlDocumentation)
        {
            content = new XmlDocumentationStream(content, File.Path);
        }

        _content = content;
        _rest.Clear();
        _beginsDocument = _position.Offset == 0;
        if (_position.Offset == 0)
        {
            SkipByteOrderMark();
        }
        else
        {
            SkipTo(_position.Offset);
        }
    }

    private void SkipByteOrderMark()
    {
        Span<byte> mark = stackalloc byte[3];
        ReadOnlySpan<byte> bytes = mark[.._content!.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false)];
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            throw new InvalidFileException(File.Path, "the text is UTF-16: save it as UTF-8");
        }

        bool marked = bytes.SequenceEqual("\uFEFF"u8);
        _rest.Write(marked ? [] : bytes);
        _position = _position with { Offset = marked ? 3 : 0 };
    }

    private void SkipTo(long offset)
    {
        if (_content == _source)
        {
            _source!.Seek(offset, SeekOrigin.Begin);
            return;
        }

        using var buffer = SpanOwner<byte>.Allocate(1 << 17);
        for (long left = offset; left > 0;)
        {
            int read = _content!.Read(buffer.Span[..(int)Math.Min(left, buffer.Length)]);
            if (read == 0)
            {
                throw new InvalidFileException(File.Path, "the file is shorter than when its preparation began");
            }

            left -= read;
        }
    }

    /// <summary>The next piece of a document; null when nothing is left in the file.</summary>
    private TextChunk? ReadPiece()
    {
        // One byte more than a piece tells whether the document ends with it.
        var buffer = new ArrayPoolBufferWriter<byte>(TextPiece.MaxBytes + 1);
        bool atEnd = Fill(buffer, TextPiece.MaxBytes + 1);
        int piece = atEnd ? buffer.WrittenCount : TextPiece.Cut(buffer.WrittenSpan);
        return Take(buffer, piece, atEnd, lines: 0);
    }

    /// <summary>The next lines; null when nothing is left in the file.</summary>
    private TextChunk? ReadLines()
    {
        var buffer = new ArrayPoolBufferWriter<byte>(TextPiece.MaxBytes);
        bool atEnd = Fill(buffer, TextPiece.MaxBytes);
        int lines = atEnd ? buffer.WrittenCount : buffer.WrittenSpan.LastIndexOf((byte)'\n') + 1;
        while (lines == 0 && !atEnd)
        {
            if (buffer.WrittenCount >= MaxLineBytes)
            {
                buffer.Dispose();
                throw new InvalidFileException(
                    File.Path, $"line {_position.Line + 1} is longer than {MaxLineBytes >> 20} MiB: is it JSON Lines, one object per line?");
            }

            atEnd = Fill(buffer, buffer.WrittenCount * 2);
            lines = atEnd ? buffer.WrittenCount : buffer.WrittenSpan.LastIndexOf((byte)'\n') + 1;
        }

        return Take(buffer, lines, atEnd, buffer.WrittenSpan[..lines].Count((byte)'\n'));
    }

    /// <summary>The next rows; null when nothing is left in the file.</summary>
    private TextChunk? ReadRows()
    {
        CorpusPosition start = _position;
        CorpusFile file = File;
        if (!_rows!.TryTake(out RowBatch batch))
        {
            CheckUnchanged(atEnd: true);
            EndFile();
            return null;
        }

        long row = start.Line + batch.Lengths.Count;
        _position = start with { Offset = row, Line = row };
        return new TextChunk(file, start, batch.Texts, batch.Texts.WrittenCount)
        {
            RowLengths = batch.Lengths,
            End = _position,
            SourceBytes = _sourceBytesBefore + (long)((Int128)file.Length * row / Math.Max(1, _rows.Count)),
        };
    }

    /// <summary>Moves what is kept, then the file's next bytes, into a buffer until it has as many as wanted.</summary>
    /// <returns>The file ends before.</returns>
    private bool Fill(ArrayPoolBufferWriter<byte> buffer, int wanted)
    {
        buffer.Write(_rest.WrittenSpan);
        _rest.Clear();
        int missing = Math.Max(0, wanted - buffer.WrittenCount);
        int read = _content!.ReadAtLeast(buffer.GetSpan(missing)[..missing], missing, throwOnEndOfStream: false);
        buffer.Advance(read);
        return read < missing;
    }

    private TextChunk? Take(ArrayPoolBufferWriter<byte> buffer, int taken, bool atEnd, int lines)
    {
        CorpusPosition start = _position;
        CorpusFile file = File;
        _rest.Write(buffer.WrittenSpan[taken..]);
        long sourceBytes = _sourceBytesBefore + _source!.Position;
        _position = start with { Offset = start.Offset + taken, Line = start.Line + lines };
        if (atEnd)
        {
            CheckUnchanged(atEnd: true);
            EndFile();
        }

        if (taken == 0)
        {
            buffer.Dispose();
            return null;
        }

        var chunk = new TextChunk(file, start, buffer, taken)
        {
            End = _position,
            BeginsDocument = _beginsDocument,
            EndsDocument = atEnd,
            SourceBytes = sourceBytes,
        };
        _beginsDocument = false;
        return chunk;
    }

    private void CheckUnchanged(bool atEnd)
    {
        if (_source!.Length != File.Length
            || (atEnd && _content == _source && _source.Position != File.Length)
            || RegularFile.ModifiedOf(File.Path) != File.Modified)
        {
            throw new InvalidFileException(File.Path, "the file changed while it was read: run the command again when nothing writes to it");
        }
    }

    private void EndFile()
    {
        _sourceBytesBefore += File.Length;
        _position = new CorpusPosition(_position.File + 1, 0, 0);
        Close();
    }

    private void Close()
    {
        _rows?.Dispose();
        _content?.Dispose();
        _source?.Dispose();
        _rows = null;
        _content = null;
        _source = null;
    }
}
