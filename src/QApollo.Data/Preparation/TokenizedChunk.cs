using System.Buffers;

namespace QApollo.Data;

/// <summary>Ids of a chunk that go to the same side.</summary>
/// <param name="End">Where the run ends among the chunk's ids; it begins where the one before ends.</param>
/// <param name="HeldOut">Null: the side of the document that began in an earlier chunk.</param>
internal readonly record struct TokenRun(int End, bool? HeldOut);

/// <summary>A chunk's documents as ids, and what is to be counted about them. Filled by a worker, used again afterwards.</summary>
internal sealed class TokenizedChunk(ITokenizer tokenizer, HeldOutSplit split, DocumentParser parser) : IDocumentSink
{
    private readonly ArrayBufferWriter<int> _ids = new();
    private readonly List<TokenRun> _runs = [];
    private bool? _side;

    public ReadOnlySpan<int> Ids => _ids.WrittenSpan;

    public IReadOnlyList<TokenRun> Runs => _runs;

    /// <summary>Documents that begin in the chunk.</summary>
    public long Documents { get; private set; }

    public long TextBytes { get; private set; }

    public int File { get; private set; }

    public Replacements Replaced { get; private set; }

    public SkippedRows Skipped { get; private set; }

    /// <summary>Where the next chunk begins.</summary>
    public CorpusPosition End { get; private set; }

    public long SourceBytes { get; private set; }

    /// <summary>Parses and tokenizes; replaces what was there.</summary>
    /// <exception cref="RunFailedException">The text is broken.</exception>
    public void Fill(TextChunk chunk)
    {
        _ids.ResetWrittenCount();
        _runs.Clear();
        _side = null;
        Documents = 0;
        TextBytes = 0;
        File = chunk.Start.File;
        End = chunk.End;
        SourceBytes = chunk.SourceBytes;
        (Replaced, Skipped) = parser.Parse(chunk, this);
    }

    void IDocumentSink.Append(ReadOnlySpan<byte> text, bool begins, bool ends)
    {
        if (begins)
        {
            _side = split.IsHeldOut(text);
            Documents++;
            TokenDataset.Begin(tokenizer, _ids);
        }

        TextBytes += text.Length;
        tokenizer.Encode(text, _ids);
        if (ends)
        {
            TokenDataset.End(tokenizer, _ids);
        }

        var run = new TokenRun(_ids.WrittenCount, _side);
        if (_runs.Count > 0 && _runs[^1].HeldOut == _side)
        {
            _runs[^1] = run;
        }
        else
        {
            _runs.Add(run);
        }
    }
}
