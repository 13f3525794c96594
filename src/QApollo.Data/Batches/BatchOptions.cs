namespace QApollo.Data;

/// <summary>How documents become training sequences.</summary>
public enum SequenceMode
{
    /// <summary>Windows over the documents in a row, ends of documents included: nothing is thrown away.</summary>
    Packed = 1,

    /// <summary>
    /// As the low-rank optimizer papers score themselves on C4: a sequence is the beginning of one document, its
    /// end-of-document token always last, then padding with ignored labels; the rest of a long document is not used.
    /// </summary>
    Paper = 2,

    /// <summary>
    /// As <see cref="Packed"/>, for attention that stays within documents: the first token of a document is no target where
    /// the end of the one before is the last token seen, as in Hugging Face's DataCollatorWithFlattening.
    /// </summary>
    Masked = 3,
}

/// <summary>The shape of a micro-batch and the order in which the data is visited.</summary>
/// <param name="BatchSize">Sequences per micro-batch.</param>
/// <param name="SequenceLength">Tokens per sequence, 2 or more.</param>
/// <param name="VocabularySize">Ids at or above it are refused: they would read outside the embedding.</param>
/// <param name="EndOfDocument">The tokenizer's id; delimits documents unless they are <see cref="SequenceMode.Packed"/>, and pads.</param>
/// <param name="Seed">The run's seed: the key of the shuffle.</param>
public sealed record BatchOptions(
    int BatchSize,
    int SequenceLength,
    int VocabularySize,
    int EndOfDocument,
    ulong Seed = 0,
    SequenceMode Mode = SequenceMode.Packed)
{
    /// <summary>The label of a position that has no target; the loss leaves out every negative label.</summary>
    public const int IgnoredLabel = -100;
}
