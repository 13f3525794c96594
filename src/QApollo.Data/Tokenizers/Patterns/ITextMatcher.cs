namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>Finds the matches of a pattern in UTF-8 text, one after the other. Immutable.</summary>
internal interface ITextMatcher
{
    /// <summary>The first match at or after <paramref name="from"/>, which may be empty.</summary>
    /// <returns>False when there is none.</returns>
    bool TryMatch(ReadOnlySpan<byte> text, int from, EncodeState state, out int start, out int end);
}
