using QApollo.Data.Tokenizers.Patterns;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Normalizers;

/// <summary>Puts a text in front, unless there is nothing to put it in front of.</summary>
internal sealed class PrependNormalizer(byte[] prefix) : TextNormalizer
{
    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output)
    {
        if (!text.IsEmpty)
        {
            output.Add(prefix);
            output.Add(text);
        }
    }
}

/// <summary>Replaces each match by a text.</summary>
internal sealed class ReplaceNormalizer(ITextMatcher matcher, byte[] replacement) : TextNormalizer
{
    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output)
    {
        int at = 0;
        var walk = new MatchWalk(matcher, text, state);
        while (walk.MoveNext())
        {
            output.Add(text[at..walk.Start]);
            output.Add(replacement);
            at = walk.End;
        }

        output.Add(text[at..]);
    }
}

/// <summary>Drops white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output)
    {
        int start = left ? WordScan.RunEnd(text, 0, CharacterClass.Space) : 0;
        int end = right ? WordScan.SpacesStart(text[start..]) + start : text.Length;
        output.Add(text[start..end]);
    }
}

/// <summary>Shows each byte as its character in byte-level vocabularies.</summary>
internal sealed class ByteLevelNormalizer : TextNormalizer
{
    public override void Apply(ReadOnlySpan<byte> text, EncodeState state, ByteBuffer output) => ByteLevelAlphabet.Map(text, output);
}
