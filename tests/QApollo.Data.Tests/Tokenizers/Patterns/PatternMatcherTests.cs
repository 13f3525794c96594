using System.Text;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Patterns;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Patterns;

public class PatternMatcherTests
{
    /// <summary>Expected as Oniguruma splits, which is what tokenizer.json files are written for.</summary>
    [Theory]
    [InlineData(@"\p{N}{1,3}", "a1234567", "a|123|456|7")]
    [InlineData(@"\p{N}{1,3}+", "a1234567", "a|1234567")]
    [InlineData("(?i:'s|'k)", "'ſ 'K 's 'S", "'ſ| |'K| |'s| |'S")]
    [InlineData("^a", "a\na", "a|\n|a")]
    [InlineData("a$", "a\na\n", "a|\n|a|\n")]
    [InlineData(@"a\Z", "a\na\n", "a\n|a|\n")]
    [InlineData(".", "a\nb", "a|\n|b")]
    [InlineData("(?m:.)+", "a\nb", "a\nb")]
    [InlineData("[^(\\s|[.,!?])]+", "a(b|c.d [e]", "a|(|b|||c|.|d| |[e]")]
    [InlineData("(?<=a)b", "abcb", "a|b|cb")]
    [InlineData("(?=a)", "bab", "b|ab")]
    [InlineData("x*", "axb", "a|x|b")]
    [InlineData(@"\w+", "aⒶ\u200db_é𝒜1²", "aⒶ|\u200d|b_é𝒜1²")]
    [InlineData(@"\p{Han}+", "a漢字b", "a|漢字|b")]
    [InlineData(@"\h+", "xafg", "x|af|g")]
    [InlineData("[a-z&&[^c]]+", "abcde", "ab|c|de")]
    [InlineData("(?i)[^a]", "aAbB", "aA|b|B")]
    [InlineData(@"(?i)\p{Lu}+", "aAbB", "a|A|b|B")]
    [InlineData("a{,2}", "aaa", "aa|a")]
    [InlineData("a{2", "xa{2", "x|a{2")]
    [InlineData(@"\u0041|\x{1F600}|\x42", "A😀B", "A|😀|B")]
    [InlineData(@"\s+", "a\u0085\u200b\u00a0\u2028b", "a|\u0085|\u200b|\u00a0\u2028|b")]
    [InlineData("a++a", "baaa", "baaa")]
    [InlineData("(?:ab)++a|b", "ababa", "ababa")]
    [InlineData("(?>a|ab)c", "abcac", "abc|ac|")]
    [InlineData("(a|b)*?c", "xabc", "x|abc")]
    [InlineData("(?:a?)*b", "xaab", "x|aab")]
    [InlineData("(?:a|b|){2,3}c", "xabac", "x|abac")]
    [InlineData(@"\R", "\r\n\n", "\r\n|\n")]
    [InlineData(@"\bfoo\b", "foo xfoo", "foo| xfoo")]
    [InlineData(@"[\p{L}--\d]", "-1", "-|1")]
    [InlineData("a(?i)b|c", "aB aC C b", "aB| |aC| C b")]
    [InlineData("(?#note)a|", "ba", "b|a")]
    [InlineData("[[:digit:]x-]+", "1-xy", "1-x|y")]
    [InlineData(@"[^\D2]", "123", "1|2|3")]
    [InlineData("a(?!b)", "abac", "ab|a|c")]
    [InlineData("\\s+(?!\\S)|\\s+", "a   b  ", "a|  | |b|  ")]
    public void Splits_as_Oniguruma(string pattern, string text, string pieces) =>
        Assert.Equal(pieces.Replace("|||", "|\u0001|", StringComparison.Ordinal).TrimEnd('|').Split('|').Select(piece => piece.Replace('\u0001', '|')), Split(pattern, text));

    [Theory]
    [InlineData("(a", "')'")]
    [InlineData("a)", "')'")]
    [InlineData("[a", "']'")]
    [InlineData("*a", "repeats nothing")]
    [InlineData("a{3,2}", "counts down")]
    [InlineData("a{2000}", "above 1000")]
    [InlineData("[z-a]", "backward")]
    [InlineData(@"\p{Foo}", "Foo")]
    [InlineData(@"(a)\1", "back-references")]
    [InlineData("(?<=ab)c", "look-behind")]
    [InlineData("(?x: a )", "not supported")]
    [InlineData("\\", "backslash")]
    [InlineData(@"\x{110000}", "character code")]
    [InlineData("((((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){9}", "unfolds")]
    public void A_pattern_that_cannot_be_followed_is_refused_by_name(string pattern, string reason)
    {
        var error = Assert.Throws<UsageException>(() => new PatternProgram(pattern));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Throws<UsageException>(() => new PatternProgram(new string('(', 100_000)));
        Assert.Throws<UsageException>(() => new PatternProgram(new string('[', 100_000)));
    }

    [Theory]
    [InlineData("(a*)*b")]
    [InlineData("(a|aa)+$b")]
    [InlineData("a*a*a*a*a*b")]
    public void A_runaway_pattern_ends_with_a_message(string pattern)
    {
        string text = new('a', 20_000);
        var error = Assert.Throws<UsageException>(() => Split(pattern, text));
        Assert.Contains("pattern", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_of_many_megabytes_is_one_match()
    {
        string text = new('a', 3_000_000);
        Assert.Equal([text], Split(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}]*[\p{Ll}\p{Lm}]+|\p{N}", text));
        Assert.Equal([text], Split(@"(?:\p{L}\p{M}*)+", text));
    }

    [Theory]
    [InlineData(UsualPatterns.Gpt2)]
    [InlineData(UsualPatterns.Llama3)]
    [InlineData(UsualPatterns.Qwen2)]
    public void Matchers_written_by_hand_agree_with_their_pattern(string pattern)
    {
        ITextMatcher byHand = UsualPatterns.Matcher(pattern);
        Assert.IsNotType<PatternMatcher>(byHand);
        var general = new PatternMatcher(new PatternProgram(pattern));
        var random = new Random(11);
        for (int round = 0; round < 3000; round++)
        {
            byte[] text = TokenizerTesting.RandomText(random, random.Next(1, 40));
            Assert.Equal(Matches(general, text), Matches(byHand, text));
        }
    }

    private static List<string> Split(string pattern, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        int at = 0;
        foreach ((int start, int end) in Matches(new PatternMatcher(new PatternProgram(pattern)), utf8))
        {
            pieces.Add(Encoding.UTF8.GetString(utf8[at..start]));
            pieces.Add(Encoding.UTF8.GetString(utf8[start..end]));
            at = end;
        }

        pieces.Add(Encoding.UTF8.GetString(utf8[at..]));
        pieces.RemoveAll(string.IsNullOrEmpty);
        return pieces;
    }

    private static List<(int Start, int End)> Matches(ITextMatcher matcher, byte[] text)
    {
        var state = new EncodeState();
        state.PatternScratch.Begin(text.Length);
        var walk = new MatchWalk(matcher, text, state);
        var matches = new List<(int, int)>();
        while (walk.MoveNext())
        {
            matches.Add((walk.Start, walk.End));
        }

        return matches;
    }
}
