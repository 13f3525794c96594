namespace QApollo.Batches;

/// <summary>Endless micro-batches to train on. <see cref="Position"/> restores everything: the same position gives the same batches.</summary>
public interface IBatchSource
{
    /// <summary>Tokens of the whole data.</summary>
    long DataTokens { get; }

    /// <summary>A hash of the data's tokens, hexadecimal: a resumed run compares it with the saved one.</summary>
    string DataFingerprint { get; }

    /// <exception cref="UsageException">On setting: there is no such position in this data.</exception>
    DataPosition Position { get; set; }

    /// <summary>What the data is made of, to be compared when a run goes on; empty: <see cref="DataTokens"/> says all.</summary>
    string Description => string.Empty;

    /// <summary>The sources of a mixture as they stand; empty: there is one source.</summary>
    IReadOnlyList<SourceProgress> Sources => [];

    /// <summary>Whether so many more sequences can be read; false when a source that may not repeat ends before.</summary>
    bool Has(int sequences) => true;

    /// <summary>Moves on over sequences that another rank trains on.</summary>
    /// <param name="sequences">0 or more.</param>
    void Skip(int sequences);

    /// <summary>Fills one micro-batch and moves on.</summary>
    /// <param name="tokens">[batch size, sequence length], row-major.</param>
    /// <param name="labels">Same shape; position t's label is the token that follows it, negative where the loss ignores it.</param>
    /// <exception cref="RunFailedException">The data holds an id outside the vocabulary.</exception>
    void ReadNext(Span<int> tokens, Span<int> labels);
}
