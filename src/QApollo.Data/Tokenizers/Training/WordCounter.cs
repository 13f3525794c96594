using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Training;

/// <summary>
/// Counts the words of documents. Documents are gathered into batches by their bytes alone and rare words are
/// forgotten only between batches, so that the counts do not depend on the number of threads.
/// </summary>
internal sealed class WordCounter
{
    private const int BatchBytes = 1 << 25;

    /// <summary>The words of all lengths together, in bytes, above which rare ones are forgotten.</summary>
    private const int MaxTextBytes = 1 << 29;

    private readonly BpeTrainerOptions _options;
    private readonly Worker[] _workers;
    private readonly WordTable _words = new();
    private long _bytesCounted;

    public WordCounter(BpeTrainerOptions options)
    {
        _options = options;
        _workers = new Worker[options.Threads > 0 ? options.Threads : Environment.ProcessorCount];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Worker(options.Pattern);
        }
    }

    public WordTable Count(IEnumerable<ReadOnlyMemory<byte>> documents)
    {
        (Batch filling, Batch counting) = (new Batch(), new Batch());
        Task count = Task.CompletedTask;
        foreach (ReadOnlyMemory<byte> document in documents)
        {
            filling.Add(document.Span);
            if (filling.Text.Length >= BatchBytes)
            {
                count.GetAwaiter().GetResult();
                (filling, counting) = (counting, filling);
                Batch full = counting;
                count = Task.Run(() => CountBatch(full));
                filling.Clear();
            }
        }

        count.GetAwaiter().GetResult();
        CountBatch(filling);
        return _words;
    }

    private void CountBatch(Batch batch)
    {
        int next = -1;
        Parallel.ForEach(_workers, new ParallelOptions { MaxDegreeOfParallelism = _workers.Length }, worker =>
        {
            worker.Words.Clear();
            for (int i = Interlocked.Increment(ref next); i < batch.Documents.Count; i = Interlocked.Increment(ref next))
            {
                worker.Count(batch.Text.Written[batch.Documents[i]]);
            }
        });
        foreach (Worker worker in _workers)
        {
            _words.AddAll(worker.Words);
        }

        if (_words.Count > _options.MaxWords || _words.TextBytes > MaxTextBytes)
        {
            _words.Prune(Math.Min(_options.MaxWords, _words.Count) / 2);
        }

        _bytesCounted += batch.Text.Length;
        _options.Progress?.Report(new BpeTrainingProgress(_bytesCounted, _words.Count, 0));
    }

    /// <summary>Documents of which the counter keeps its own copy.</summary>
    private sealed class Batch
    {
        public ByteBuffer Text { get; } = new();

        public List<Range> Documents { get; } = [];

        public void Add(ReadOnlySpan<byte> document)
        {
            int start = Text.Length;
            Text.Add(document);
            Documents.Add(start..Text.Length);
        }

        public void Clear()
        {
            Text.Clear();
            Documents.Clear();
        }
    }

    /// <summary>What one thread counts into.</summary>
    private sealed class Worker : PieceStage
    {
        /// <summary>Longer words are counted in parts: their ends teach nothing, and memory stays bounded.</summary>
        private const int MaxWordBytes = 4096;

        private readonly EncodeState _state = new();
        private readonly SplitStage _split;

        public Worker(WordPattern pattern) =>
            _split = new SplitStage(UsualPatterns.Matcher(UsualPatterns.Of(pattern)), SplitBehavior.Isolated, invert: false, this);

        public WordTable Words { get; } = new();

        public void Count(ReadOnlySpan<byte> document)
        {
            if (!document.IsEmpty)
            {
                _split.Accept(document, first: true, _state);
            }
        }

        public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
        {
            for (; piece.Length > MaxWordBytes; piece = piece[MaxWordBytes..])
            {
                Words.Add(piece[..MaxWordBytes], 1);
            }

            Words.Add(piece, 1);
        }
    }
}
