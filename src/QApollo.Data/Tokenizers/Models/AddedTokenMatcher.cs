using System.Buffers;
using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Models;

/// <summary>Finds added tokens: the leftmost, among those the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly ByteTrie _trie = new();
    private readonly List<AddedToken> _tokens = [];
    private readonly SearchValues<byte> _firstBytes;
    private readonly SpecialTokenMode _specialTokens;

    /// <param name="tokens">The tokens with the content to look for; an empty content is never found.</param>
    /// <param name="specialTokens">With <see cref="SpecialTokenMode.Text"/> special ones are passed over where they are found.</param>
    public AddedTokenMatcher(IEnumerable<AddedToken> tokens, SpecialTokenMode specialTokens)
    {
        _specialTokens = specialTokens;
        foreach (AddedToken token in tokens.Where(token => token.Content.Length > 0))
        {
            _trie.Add(token.Content, _tokens.Count);
            _tokens.Add(token);
        }

        _firstBytes = SearchValues.Create(_trie.FirstBytes());
    }

    public bool IsEmpty => _trie.IsEmpty;

    /// <summary>Goes through a text; what lies between the tokens found is for others.</summary>
    public ref struct Walk(AddedTokenMatcher matcher, ReadOnlySpan<byte> text)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private int _from;
        private int _covered;

        /// <summary>Where the text before the token found begins and ends; empty when there is none.</summary>
        public (int Start, int End) Gap { get; private set; }

        public int Id { get; private set; }

        /// <summary>False when no token is left; <see cref="Gap"/> is then the rest of the text.</summary>
        public bool MoveNext()
        {
            while (TryFind(out int start, out int end, out AddedToken? token))
            {
                _from = end;
                bool isText = token!.Special && matcher._specialTokens == SpecialTokenMode.Text;
                if (isText || (token.SingleWord && (TouchesWordBefore(start) || TouchesWordAfter(end))))
                {
                    continue;
                }

                if (token.LeftStrip)
                {
                    start = Math.Max(WordScan.SpacesStart(_text[..start]), _covered);
                }

                if (token.RightStrip)
                {
                    end = WordScan.RunEnd(_text, end, CharacterClass.Space);
                }

                Gap = (_covered, Math.Max(start, _covered));
                Id = token.Id;
                _covered = end;
                return true;
            }

            Gap = (_covered, Math.Max(_text.Length, _covered));
            return false;
        }

        private readonly bool TryFind(out int start, out int end, out AddedToken? token)
        {
            for (start = _from; start < _text.Length; start++)
            {
                int skip = _text[start..].IndexOfAny(matcher._firstBytes);
                if (skip < 0)
                {
                    break;
                }

                start += skip;
                (int length, int index) = matcher._trie.LongestPrefix(_text[start..]);
                if (length > 0)
                {
                    end = start + length;
                    token = matcher._tokens[index];
                    return true;
                }
            }

            (end, token) = (start, null);
            return false;
        }

        private readonly bool TouchesWordBefore(int start) =>
            start > 0 && IsWord(Utf8Text.DecodeBefore(_text, start, out _));

        private readonly bool TouchesWordAfter(int end) =>
            end < _text.Length && IsWord(Utf8Text.Decode(_text, end, out _));

        private static bool IsWord(int codePoint) => (CharacterClasses.Of(codePoint) & CharacterClass.Word) != 0;
    }
}
