using System.Text;
using QApollo.Data.Tests.Preparation;
using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

public class SpecialTokenTests
{
    private static readonly string[] Written = ["<|endoftext|>", "<s>", "</s>", "<unk>", "<sep>", "<mask>", "<|fim_prefix|>", "<|endofprompt|>"];

    /// <summary>Each with the ids that only control: no text may become one.</summary>
    public static TheoryData<string, int[]> Tokenizers => new()
    {
        { TokenizerTesting.Golden("bytes.json"), [499] },
        { TokenizerTesting.Golden("characters.json"), [1, 2] },
        { TokenizerTesting.Golden("unigram.json"), [1, 2, 3] },
        { TokenizerTesting.Golden("bpe-user.model"), [1, 2, 3] },
        { TokenizerTesting.Golden("unigram-user.model"), [1, 2, 3] },
        { "cl100k_base", [100_257, 100_258, 100_259, 100_260, 100_276] },
    };

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void No_text_becomes_a_control_token(string name, int[] control)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(name);
        Assert.False(tokenizer.ParsesSpecialTokens);
        Assert.Contains(tokenizer.EndOfDocument, control);
        var random = new Random(3);
        for (int round = 0; round < 300; round++)
        {
            string[] parts = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Written[random.Next(Written.Length)])];
            byte[] text = [.. TokenizerTesting.RandomText(random, 3), .. Encoding.UTF8.GetBytes(string.Join(random.Next(2) == 0 ? " " : string.Empty, parts))];
            Assert.Empty(tokenizer.Ids(text).Intersect(control));
        }
    }

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void Parsed_they_are_themselves_and_the_vocabulary_stays_the_same(string name, int[] control)
    {
        ITokenizer text = TokenizerLoader.Load(name);
        ITokenizer parse = TokenizerLoader.Load(name, SpecialTokenMode.Parse);
        Assert.True(parse.ParsesSpecialTokens);
        Assert.Equal((text.Fingerprint, text.VocabularySize, text.EndOfDocument), (parse.Fingerprint, parse.VocabularySize, parse.EndOfDocument));
        int[][] found = [.. Written.Select(written => parse.Ids(written)).Where(ids => ids.Length == 1 && control.Contains(ids[0]))];
        Assert.Contains(found, ids => ids[0] == parse.EndOfDocument);
        Assert.Equal(parse.Ids("quick"), text.Ids("quick"));
    }

    [Fact]
    public void Parts_between_parsed_control_pieces_are_texts_of_their_own()
    {
        ITokenizer text = TokenizerLoader.Load(TokenizerTesting.Golden("bpe.model"));
        ITokenizer parse = TokenizerLoader.Load(TokenizerTesting.Golden("bpe.model"), SpecialTokenMode.Parse);
        Assert.Equal([1, .. text.Ids("the"), 2, .. text.Ids(" dog")], parse.Ids("<s>the</s> dog"));
        Assert.DoesNotContain(2, text.Ids("<s>the</s> dog"));
    }

    [Fact]
    public void A_document_that_names_the_end_of_a_document_does_not_end_itself()
    {
        using var fixture = new PreparationFixture();
        fixture.Write("a.jsonl", "{\"text\":\"one<|endoftext|>two\"}\n{\"text\":\"three\"}\n");
        string path = TokenizerTesting.Golden("bytes.json");
        ITokenizer text = TokenizerLoader.Load(path);
        using PreparedData asText = fixture.Prepare(tokenizer: text);
        using PreparedData parsed = fixture.Prepare(tokenizer: TokenizerLoader.Load(path, SpecialTokenMode.Parse));
        Assert.Equal(2, PreparationFixture.Tokens(asText.Train).Count(id => id == text.EndOfDocument));
        Assert.Equal(3, PreparationFixture.Tokens(parsed.Train).Count(id => id == text.EndOfDocument));
        Assert.Equal("one<|endoftext|>two", text.Text(PreparationFixture.Tokens(asText.Train).AsSpan(0, text.Ids("one<|endoftext|>two").Length)));
        Assert.NotEqual(asText.Folder, parsed.Folder);
    }
}
