using System.Buffers;
using System.Text;
using QApollo.Data.Parquet;

namespace QApollo.Data;

/// <summary>Receives documents as valid UTF-8, in pieces of at most <see cref="TextPiece.MaxBytes"/> bytes.</summary>
internal interface IDocumentSink
{
    /// <param name="text">Not empty; only for the duration of the call.</param>
    /// <param name="begins">The document's first piece.</param>
    /// <param name="ends">The document's last piece.</param>
    void Append(ReadOnlySpan<byte> text, bool begins, bool ends);
}

/// <summary>Turns chunks into documents. Each thread has its own.</summary>
/// <param name="textField">Field of .jsonl that holds the text.</param>
/// <param name="strict">Refuse what would be replaced or skipped.</param>
internal sealed class DocumentParser(string textField, bool strict)
{
    private readonly byte[] _field = Encoding.UTF8.GetBytes(textField);
    private readonly ArrayBufferWriter<byte> _valid = new();
    private readonly ArrayBufferWriter<byte> _text = new();
    private Replacements _replaced;
    private SkippedRows _skipped;

    /// <summary>Passes the chunk's documents to <paramref name="sink"/>, in order.</summary>
    /// <returns>What was replaced and what was skipped.</returns>
    /// <exception cref="RunFailedException">With <c>strict</c>: a row has no text, or a text is not valid.</exception>
    public (Replacements Replaced, SkippedRows Skipped) Parse(TextChunk chunk, IDocumentSink sink)
    {
        _replaced = Replacements.None;
        _skipped = SkippedRows.None;
        switch (chunk.File.Format)
        {
            case DocumentFormat.JsonLines:
                ParseLines(chunk, sink);
                break;
            case DocumentFormat.Parquet:
                ParseRows(chunk, sink);
                break;
            default:
                Repair(chunk.File, chunk.Bytes, chunk.Start.Offset);
                Append(_valid.WrittenSpan, chunk.BeginsDocument, chunk.EndsDocument, sink);
                break;
        }

        return (_replaced, _skipped);
    }

    private void ParseLines(TextChunk chunk, IDocumentSink sink)
    {
        ReadOnlySpan<byte> bytes = chunk.Bytes;
        long number = chunk.Start.Line;
        for (int begin = 0; begin < bytes.Length;)
        {
            number++;
            int length = bytes[begin..].IndexOf((byte)'\n');
            length = length < 0 ? bytes.Length - begin : length;
            ReadOnlySpan<byte> line = bytes.Slice(begin, length);
            if (line.ContainsAnyExcept(" \t\r"u8))
            {
                ParseLine(chunk.File, line, number, chunk.Start.Offset + begin, sink);
            }

            begin += length + 1;
        }
    }

    private void ParseLine(CorpusFile file, ReadOnlySpan<byte> line, long number, long offset, IDocumentSink sink)
    {
        if (JsonText.Find(line, _field, out Range value, out bool escaped) is { } fault)
        {
            Skip(file, number, fault);
            return;
        }

        if (line[value].IsEmpty)
        {
            Skip(file, number, RowFault.Empty);
            return;
        }

        long valueOffset = offset + value.Start.Value;
        Repair(file, line[value], valueOffset);
        ReadOnlySpan<byte> text = _valid.WrittenSpan;
        if (escaped)
        {
            _text.ResetWrittenCount();
            (int length, int surrogates, int first) = JsonText.Unescape(text, _text.GetSpan(text.Length));
            _text.Advance(length);
            text = _text.WrittenSpan;
            if (surrogates > 0)
            {
                if (strict)
                {
                    throw new InvalidFileException(file.Path, $"line {number}: a surrogate without its partner at byte {valueOffset + first}: correct it, or leave out --strict to replace it");
                }

                _replaced = _replaced.Add(surrogates, valueOffset + first);
            }
        }

        _skipped = _skipped.WithText();
        Append(text, begins: true, ends: true, sink);
    }

    private void ParseRows(TextChunk chunk, IDocumentSink sink)
    {
        long number = chunk.Start.Line;
        int begin = 0;
        foreach (int length in chunk.RowLengths)
        {
            number++;
            if (length <= 0)
            {
                Skip(chunk.File, number, Fault(length));
                continue;
            }

            // There are no bytes of the content to name: the row is the place.
            Repair(chunk.File, chunk.Bytes.Slice(begin, length), number);
            _skipped = _skipped.WithText();
            Append(_valid.WrittenSpan, begins: true, ends: true, sink);
            begin += length;
        }
    }

    private static RowFault Fault(int length) => length switch
    {
        RowBatch.Null => RowFault.Null,
        RowBatch.TooLong => RowFault.Wrong($"longer than {ChunkReader.MaxLineBytes >> 20} MiB"),
        _ => RowFault.Empty,
    };

    private void Skip(CorpusFile file, long number, RowFault fault)
    {
        string place = $"{file.RowName} {number}: {fault.Message}";
        _skipped = strict
            ? throw new InvalidFileException(file.Path, $"{place}: correct it, or leave out --strict to skip such rows")
            : _skipped.Without(place, fault.IsWrong);
    }

    /// <summary>Copies to <see cref="_valid"/>.</summary>
    /// <param name="offset">Of the bytes in the file's content; a .parquet's row.</param>
    private void Repair(CorpusFile file, ReadOnlySpan<byte> bytes, long offset)
    {
        _valid.ResetWrittenCount();
        (long replaced, int first) = Utf8Repair.Copy(bytes, _valid);
        if (replaced == 0)
        {
            return;
        }

        long place = file.Format == DocumentFormat.Parquet ? offset : offset + first;
        if (strict)
        {
            throw new InvalidFileException(
                file.Path, $"{Replacements.Describe(file.Path, place)} (0x{bytes[first]:X2}): save the text as UTF-8, or leave out --strict to replace it");
        }

        _replaced = _replaced.Add(replaced, place);
    }

    private static void Append(ReadOnlySpan<byte> text, bool begins, bool ends, IDocumentSink sink)
    {
        while (text.Length > TextPiece.MaxBytes)
        {
            int piece = TextPiece.Cut(text);
            sink.Append(text[..piece], begins, ends: false);
            text = text[piece..];
            begins = false;
        }

        if (!text.IsEmpty)
        {
            sink.Append(text, begins, ends);
        }
    }
}
