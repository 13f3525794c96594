namespace QApollo.Batches;

/// <summary>The same micro-batches at every validation.</summary>
public interface IValidationBatches
{
    /// <summary>Sequences of a micro-batch.</summary>
    int BatchSize { get; }

    /// <summary>Tokens of a sequence.</summary>
    int SequenceLength { get; }

    /// <summary>Micro-batches; the last may have rows without targets.</summary>
    long Count { get; }

    /// <summary>The sources of a mixture, whose batches in a row are these; empty: there is one source.</summary>
    IReadOnlyList<(string Name, IValidationBatches Batches)> Parts => [];

    /// <summary>Fills micro-batch <paramref name="index"/>: 0 .. <see cref="Count"/> - 1.</summary>
    /// <param name="tokens">[batch size, sequence length], row-major.</param>
    /// <param name="labels">Same shape; negative where the loss ignores the position.</param>
    void Read(long index, Span<int> tokens, Span<int> labels);
}
