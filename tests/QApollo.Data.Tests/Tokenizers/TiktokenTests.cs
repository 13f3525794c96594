using System.Globalization;
using QApollo.Data.Tokenizers;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

public class TiktokenTests
{
    private static readonly Lazy<string[]> Lines = new(() =>
    {
        ITokenizer tokenizer = TokenizerLoader.Load("r50k_base");
        return [.. Enumerable.Range(0, 50_256).Select(id => $"{Convert.ToBase64String(tokenizer.Bytes([id]))} {id}")];
    });

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void A_file_is_the_vocabulary_of_that_name(string lineEnd)
    {
        using var folder = new TempFolder();
        string path = folder.File("any.tiktoken");
        File.WriteAllText(path, string.Join(lineEnd, Lines.Value) + lineEnd);
        ITokenizer named = TokenizerLoader.Load("gpt2");
        foreach (string place in new[] { path, Path.GetDirectoryName(path)! })
        {
            ITokenizer tokenizer = TokenizerLoader.Load(place);
            Assert.Equal((named.Fingerprint, 50_257, 50_256), (tokenizer.Fingerprint, tokenizer.VocabularySize, tokenizer.EndOfDocument));
            Assert.Equal(named.Ids("Hello, world 123"), tokenizer.Ids("Hello, world 123"));
        }
    }

    [Theory]
    [InlineData(0, "IQ== 1", "token 0 must be a token in base64, a space and the rank 0")]
    [InlineData(7, "IQ== 7", "token 7 is the same as token 0")]
    [InlineData(7, "?? 7", "token 7 is no base64")]
    [InlineData(7, "IQ==", "token 7 must be")]
    [InlineData(7, "IQ== 99999999999999999999", "token 7 must be")]
    [InlineData(7, "YWFhYWFhYWFhYWFhYWFhYWFhYWE= 7", "no token is the byte 0x28")]
    public void A_broken_line_is_told_with_its_number(int line, string content, string reason)
    {
        string[] lines = [.. Lines.Value];
        lines[line] = content;
        AssertRefused(lines, reason);
    }

    [Fact]
    public void A_file_of_an_unknown_number_of_tokens_is_refused_with_those_that_are_known() =>
        AssertRefused(Lines.Value[..1000], "a tiktoken file of 1000 tokens does not say how to cut text; known are r50k_base (50256)");

    [Fact]
    public void A_token_too_long_for_any_vocabulary_is_refused()
    {
        string[] lines = [.. Lines.Value];
        lines[300] = Convert.ToBase64String(new byte[300]) + " 300";
        AssertRefused(lines, "token 300 is no base64 of 1 to 256 bytes");
    }

    [Fact]
    public void As_tokenizer_json_it_gives_the_same_ids()
    {
        using var folder = new TempFolder();
        string path = folder.File("tokenizer.json");
        File.WriteAllBytes(path, TokenizerJson.OfName("cl100k_base").ToArray());
        ITokenizer file = TokenizerLoader.Load(path, SpecialTokenMode.Parse);
        ITokenizer named = TokenizerLoader.Load("cl100k_base", SpecialTokenMode.Parse);
        Assert.Equal((named.VocabularySize, named.EndOfDocument), (file.VocabularySize, file.EndOfDocument));
        var random = new Random(5);
        for (int round = 0; round < 200; round++)
        {
            byte[] text = TokenizerTesting.RandomText(random, 30);
            Assert.Equal(named.Ids(text), file.Ids(text));
            Assert.Equal(text, named.Bytes(named.Ids(text)));
        }
    }

    private static void AssertRefused(string[] lines, string reason)
    {
        using var folder = new TempFolder();
        string path = folder.File("any.tiktoken");
        File.WriteAllText(path, string.Join('\n', lines));
        var error = Assert.Throws<UsageException>(() => TokenizerLoader.Load(path));
        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"tokenizer {path}: "), error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
