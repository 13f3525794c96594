using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Text;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Models;

public class TokenTableTests
{
    [Fact]
    public void Agrees_with_a_dictionary()
    {
        var random = new Random(9);
        var table = new TokenTable(0);
        var trie = new ByteTrie();
        var expected = new Dictionary<string, int>();
        for (int i = 0; i < 5000; i++)
        {
            byte[] text = new byte[random.Next(1, 4)];
            random.NextBytes(text);
            table.Set(text, i);
            trie.Add(text, i);
            expected[Convert.ToHexString(text)] = i;
        }

        foreach ((string text, int id) in expected)
        {
            Assert.Equal(id, table.Find(Convert.FromHexString(text)));
            Assert.True(table.TryText(id, out ReadOnlySpan<byte> back));
            Assert.Equal(text, Convert.ToHexString(back));
            Assert.Equal((text.Length / 2, id), trie.LongestPrefix(Convert.FromHexString(text)));
        }

        Assert.Equal(-1, table.Find("absent"u8));
        Assert.False(table.TryText(5000, out _));
        Assert.Equal(5000, table.IdsEnd);
    }

    [Fact]
    public void A_trie_finds_the_longest_prefix()
    {
        var trie = new ByteTrie();
        trie.Add("a"u8, 1);
        trie.Add("abc"u8, 2);
        Assert.Equal((1, 1), trie.LongestPrefix("abx"u8));
        Assert.Equal((3, 2), trie.LongestPrefix("abcd"u8));
        Assert.Equal((0, ByteTrie.None), trie.LongestPrefix("xabc"u8));
    }
}
