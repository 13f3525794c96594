using System.Buffers;

namespace QApollo;

/// <summary>Text to token ids and back. Implementations are immutable and may be used from many threads at once.</summary>
public interface ITokenizer
{
    /// <summary>What it is, for people: "bytes", "BPE (tokenizer.json)".</summary>
    string Description { get; }

    /// <summary>Ids are 0 .. VocabularySize - 1.</summary>
    int VocabularySize { get; }

    /// <summary>The id put after each document when documents are packed into sequences.</summary>
    int EndOfDocument { get; }

    /// <summary>The id put before each document, where the tokenizer's model was trained so; null where documents begin with their text.</summary>
    int? BeginOfDocument => null;

    /// <summary>
    /// A hash of everything that the ids depend on (vocabulary, merges, rules): part of the key under which token shards
    /// are cached, and what a checkpoint compares. Hexadecimal, stable between versions of the program.
    /// </summary>
    string Fingerprint { get; }

    /// <summary>
    /// Whether special tokens that are written out in a text become those tokens; else they are text like any other.
    /// Not part of the fingerprint: it changes what text becomes, not what an id means.
    /// </summary>
    bool ParsesSpecialTokens => false;

    /// <summary>Appends the ids of one document's UTF-8 text; without <see cref="BeginOfDocument"/> and <see cref="EndOfDocument"/>.</summary>
    /// <param name="utf8">Any bytes; where the tokenizer needs valid UTF-8, invalid sequences count as U+FFFD.</param>
    void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids);

    /// <summary>
    /// Appends the UTF-8 bytes of the ids. The bytes of one id need not be whole characters: join all before showing
    /// them. Encode then Decode gives the text back, byte for byte, for tokenizers that are lossless.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8);
}
