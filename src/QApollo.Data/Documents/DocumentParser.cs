using System.Buffers;
using System.Text;

namespace QApollo.Data;

/// <summary>Receives documents as valid UTF-8, in pieces of at most <see cref="TextPiece.MaxBytes"/> bytes.</summary>
internal interface IDocumentSink
{
    /// <param name="text">Not empty; only for the duration of the call.</param>
    /// <param name="begins">The document's first piece.</param>
    /// <param name="ends">The document's last piece.</param>
    void Append(ReadOnlySpan<byte> text, bool begins, bool ends);
}

/// <summary>Invalid UTF-8 (or lone surrogates of JSON) replaced by U+FFFD.</summary>
/// <param name="Count">Sequences replaced.</param>
/// <param name="FirstOffset">Byte of the file's content where the first was; -1: none.</param>
internal readonly record struct Replacements(long Count, long FirstOffset)
{
    public static Replacements None { get; } = new(0, -1);
}

/// <summary>Turns chunks into documents. Each thread has its own.</summary>
/// <param name="textField">Field of .jsonl that holds the text.</param>
/// <param name="strict">Refuse what would be replaced.</param>
internal sealed class DocumentParser(string textField, bool strict)
{
    private readonly byte[] _field = Encoding.UTF8.GetBytes(textField);
    private readonly ArrayBufferWriter<byte> _valid = new();
    private readonly ArrayBufferWriter<byte> _text = new();

    /// <summary>Passes the chunk's documents to <paramref name="sink"/>, in order.</summary>
    /// <exception cref="RunFailedException">A line is broken, or with <c>strict</c> the text is not valid.</exception>
    public Replacements Parse(TextChunk chunk, IDocumentSink sink)
    {
        if (chunk.File.Format == DocumentFormat.JsonLines)
        {
            return ParseLines(chunk, sink);
        }

        Replacements replaced = Repair(chunk.File, chunk.Bytes, chunk.Start.Offset);
        Append(_valid.WrittenSpan, chunk.BeginsDocument, chunk.EndsDocument, sink);
        return replaced;
    }

    private Replacements ParseLines(TextChunk chunk, IDocumentSink sink)
    {
        Replacements replaced = Replacements.None;
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
                Replacements inLine = ParseLine(chunk.File, line, number, chunk.Start.Offset + begin, sink);
                replaced = new Replacements(
                    replaced.Count + inLine.Count,
                    replaced.Count > 0 ? replaced.FirstOffset : inLine.FirstOffset);
            }

            begin += length + 1;
        }

        return replaced;
    }

    private Replacements ParseLine(CorpusFile file, ReadOnlySpan<byte> line, long number, long offset, IDocumentSink sink)
    {
        if (JsonText.Find(line, _field, out Range value, out bool escaped) is { } fault)
        {
            throw new InvalidFileException(file.Path, $"line {number}: {fault}");
        }

        long valueOffset = offset + value.Start.Value;
        Replacements replaced = Repair(file, line[value], valueOffset);
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

                replaced = new Replacements(
                    replaced.Count + surrogates,
                    replaced.Count > 0 ? Math.Min(replaced.FirstOffset, valueOffset + first) : valueOffset + first);
            }
        }

        Append(text, begins: true, ends: true, sink);
        return replaced;
    }

    private Replacements Repair(CorpusFile file, ReadOnlySpan<byte> bytes, long offset)
    {
        _valid.ResetWrittenCount();
        (long replaced, int first) = Utf8Repair.Copy(bytes, _valid);
        if (replaced > 0 && strict)
        {
            throw new InvalidFileException(
                file.Path, $"invalid UTF-8 at byte {offset + first} (0x{bytes[first]:X2}): save the text as UTF-8, or leave out --strict to replace it");
        }

        return new Replacements(replaced, replaced > 0 ? offset + first : -1);
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
