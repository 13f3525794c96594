namespace QApollo.Data;

/// <summary>The sequences of a dataset by number: inputs, and for each position its target (already shifted by one). Not for several threads.</summary>
internal abstract class SequenceReader
{
    private readonly int _vocabularySize;

    private SequenceReader(TokenDataset data, BatchOptions options)
    {
        Data = data;
        Length = options.SequenceLength;
        _vocabularySize = options.VocabularySize;
        EndOfDocument = options.EndOfDocument;
    }

    /// <summary>Sequences there are.</summary>
    public abstract long Count { get; }

    protected TokenDataset Data { get; }

    protected int Length { get; }

    protected int EndOfDocument { get; }

    /// <param name="keepTail">Packed mode: the last, shorter window is a sequence too, padded with ignored labels.</param>
    /// <exception cref="UsageException">The data has not a single sequence.</exception>
    public static SequenceReader Create(TokenDataset data, BatchOptions options, bool keepTail)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SequenceLength, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.VocabularySize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)options.EndOfDocument, (uint)options.VocabularySize);
        return options.Mode == SequenceMode.Paper ? new Paper(data, options) : new Packed(data, options, keepTail);
    }

    /// <summary>Fills one row.</summary>
    /// <param name="tokens">[sequence length]; padded with the end-of-document id.</param>
    /// <param name="labels">[sequence length]; <see cref="BatchOptions.IgnoredLabel"/> where there is no target.</param>
    /// <exception cref="RunFailedException">The data holds an id outside the vocabulary.</exception>
    public abstract void Read(long sequence, Span<int> tokens, Span<int> labels);

    /// <summary>A row without targets.</summary>
    public void Pad(Span<int> tokens, Span<int> labels)
    {
        tokens.Fill(EndOfDocument);
        labels.Fill(BatchOptions.IgnoredLabel);
    }

    private void ReadTokens(long start, Span<int> ids)
    {
        Data.Read(start, ids);
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)_vocabularySize)
            {
                throw new RunFailedException(
                    $"token {start + i} of the data is {(uint)ids[i]}, but the vocabulary has {_vocabularySize} entries: the data was prepared with another tokenizer");
            }
        }
    }

    /// <summary>Window s covers tokens s * length .. (s + 1) * length: its last token is only a target, and the next window's first input.</summary>
    private sealed class Packed : SequenceReader
    {
        private readonly int[] _window;
        private readonly bool _masked;

        public Packed(TokenDataset data, BatchOptions options, bool keepTail)
            : base(data, options)
        {
            long targets = data.Count - 1;
            Count = keepTail ? (targets + Length - 1) / Length : targets / Length;
            if (Count < 1)
            {
                throw new UsageException(data.Count < 3
                    ? $"the data has {data.Count} tokens: too few to train on"
                    : $"the data has {data.Count} tokens, and one sequence of {Length} needs {Length + 1}: give more text, or --seq-len {data.Count - 1} or less");
            }

            _window = new int[Length + 1];
            _masked = options.Mode == SequenceMode.Masked;
        }

        public override long Count { get; }

        public override void Read(long sequence, Span<int> tokens, Span<int> labels)
        {
            long start = sequence * Length;
            int targets = (int)Math.Min(Length, Data.Count - 1 - start);
            Span<int> window = _window.AsSpan(0, targets + 1);
            ReadTokens(start, window);
            Pad(tokens, labels);
            window[..targets].CopyTo(tokens);
            window[1..].CopyTo(labels);
            for (int i = 0; _masked && i < targets; i++)
            {
                labels[i] = window[i] == EndOfDocument ? BatchOptions.IgnoredLabel : labels[i];
            }
        }
    }

    /// <summary>
    /// One sequence per document: its first length - 1 tokens and the end-of-document token, as Hugging Face's tokenizers
    /// truncate. The last position has no target, because the target would lie behind the cut.
    /// </summary>
    private sealed class Paper : SequenceReader
    {
        private readonly DocumentIndex _documents;
        private readonly int[] _beginning;

        public Paper(TokenDataset data, BatchOptions options)
            : base(data, options)
        {
            _documents = new DocumentIndex(data, EndOfDocument);
            if (_documents.Count == 0)
            {
                throw new UsageException("the data has no document");
            }

            _beginning = new int[Length - 1];
        }

        public override long Count => _documents.Count;

        public override void Read(long sequence, Span<int> tokens, Span<int> labels)
        {
            long start = _documents.Start(sequence);
            Span<int> beginning = _beginning.AsSpan(0, (int)Math.Min(_beginning.Length, Data.Count - start));
            ReadTokens(start, beginning);
            int end = beginning.IndexOf(EndOfDocument);
            if (end >= 0)
            {
                beginning = beginning[..end];
            }

            Pad(tokens, labels);
            beginning.CopyTo(tokens);
            beginning[1..].CopyTo(labels);
            labels[beginning.Length - 1] = EndOfDocument;
        }
    }
}
