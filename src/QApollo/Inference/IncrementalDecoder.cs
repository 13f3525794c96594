using System.Buffers;

namespace QApollo.Inference;

/// <summary>
/// The bytes of a text token by token. A token can mean other bytes at a text's beginning than inside it (a leading
/// space that is left out), so each is decoded behind the one before it.
/// </summary>
/// <param name="previous">The token before the first one; negative for none.</param>
public sealed class IncrementalDecoder(ITokenizer tokenizer, int previous = -1)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private int _previous = previous;

    /// <returns>The next token's bytes, perhaps part of a character; valid until the next call.</returns>
    public ReadOnlySpan<byte> Append(int token)
    {
        int before = _previous;
        _previous = token;
        return Between(before, token);
    }

    /// <returns>The bytes of a token behind another one (negative for none); valid until the next call.</returns>
    public ReadOnlySpan<byte> Between(int before, int token)
    {
        _bytes.ResetWrittenCount();
        if (before < 0 || before >= tokenizer.VocabularySize)
        {
            tokenizer.Decode([token], _bytes);
            return _bytes.WrittenSpan;
        }

        tokenizer.Decode([before], _bytes);
        int known = _bytes.WrittenCount;
        _bytes.ResetWrittenCount();
        tokenizer.Decode([before, token], _bytes);
        return _bytes.WrittenSpan[Math.Min(known, _bytes.WrittenCount)..];
    }
}
