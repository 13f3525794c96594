using System.Buffers;

namespace QApollo.Data;

/// <summary>Token ids of documents in a row, each between its tokenizer's begin-of-document id, if there is one, and its end-of-document id. Safe to read from many threads.</summary>
public abstract class TokenDataset : IDisposable
{
    /// <summary>Tokens, ends of documents included.</summary>
    public abstract long Count { get; }

    /// <summary>Copies the ids at <paramref name="start"/> .. <paramref name="start"/> + <c>ids.Length</c> - 1. Allocates nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the dataset.</exception>
    public void Read(long start, Span<int> ids)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - ids.Length);
        ReadCore(start, ids);
    }

    /// <summary>A view of part of this dataset, which must outlive it; disposing the view does nothing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the dataset.</exception>
    public TokenDataset Slice(long start, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - count);
        return new View(this, start, count);
    }

    /// <summary>A dataset in memory.</summary>
    /// <param name="ids">Kept, not copied.</param>
    public static TokenDataset FromTokens(ReadOnlyMemory<int> ids) => new InMemory(ids);

    /// <summary>Tokenizes small texts into memory: no cache folder, no files.</summary>
    /// <param name="documents">UTF-8 texts; empty ones are left out.</param>
    public static TokenDataset FromDocuments(ITokenizer tokenizer, IEnumerable<ReadOnlyMemory<byte>> documents)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(documents);
        var ids = new ArrayBufferWriter<int>();
        Encode(tokenizer, documents, ids);
        return new InMemory(ids.WrittenMemory);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    internal TokenDataset Slice(TokenRange range) => Slice(range.Start, range.Count);

    internal static void Encode(ITokenizer tokenizer, IEnumerable<ReadOnlyMemory<byte>> documents, ArrayBufferWriter<int> ids)
    {
        foreach (ReadOnlyMemory<byte> document in documents)
        {
            if (!document.IsEmpty)
            {
                Begin(tokenizer, ids);
                tokenizer.Encode(document.Span, ids);
                End(tokenizer, ids);
            }
        }
    }

    /// <summary>What stands before a document's ids.</summary>
    internal static void Begin(ITokenizer tokenizer, ArrayBufferWriter<int> ids)
    {
        if (tokenizer.BeginOfDocument is int start)
        {
            ids.Write([start]);
        }
    }

    /// <summary>What stands behind a document's ids.</summary>
    internal static void End(ITokenizer tokenizer, ArrayBufferWriter<int> ids) => ids.Write([tokenizer.EndOfDocument]);

    /// <summary><see cref="Read"/> after its range check.</summary>
    protected abstract void ReadCore(long start, Span<int> ids);

    private sealed class InMemory(ReadOnlyMemory<int> tokens) : TokenDataset
    {
        public override long Count => tokens.Length;

        protected override void ReadCore(long start, Span<int> ids) => tokens.Span.Slice((int)start, ids.Length).CopyTo(ids);
    }

    private sealed class View(TokenDataset parent, long offset, long count) : TokenDataset
    {
        public override long Count => count;

        protected override void ReadCore(long start, Span<int> ids) => parent.ReadCore(offset + start, ids);
    }
}
