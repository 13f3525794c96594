using CommunityToolkit.HighPerformance.Buffers;
using QApollo.Data.Parquet;

namespace QApollo.Data;

/// <summary>
/// A run of a file's content that one worker handles: whole lines of a .jsonl, whole rows of a .parquet, or a piece of a
/// document.
/// </summary>
/// <param name="buffer">Taken over; its first <paramref name="length"/> bytes are the chunk.</param>
internal sealed class TextChunk(CorpusFile file, CorpusPosition start, ArrayPoolBufferWriter<byte> buffer, int length) : IDisposable
{
    public CorpusFile File => file;

    public CorpusPosition Start => start;

    /// <summary>Where the next chunk begins.</summary>
    public CorpusPosition End { get; init; }

    public ReadOnlySpan<byte> Bytes => buffer.WrittenSpan[..length];

    /// <summary>For rows of a .parquet, whose texts lie one behind the other: the bytes of each, or why it is not there (<see cref="RowBatch"/>).</summary>
    public IReadOnlyList<int> RowLengths { get; init; } = [];

    /// <summary>For a piece of a document: it is the last one. The first one has offset 0, or follows a byte order mark.</summary>
    public bool EndsDocument { get; init; }

    public bool BeginsDocument { get; init; }

    /// <summary>Bytes of the corpus's files read so far, as they are on disk.</summary>
    public long SourceBytes { get; init; }

    public void Dispose() => buffer.Dispose();
}
