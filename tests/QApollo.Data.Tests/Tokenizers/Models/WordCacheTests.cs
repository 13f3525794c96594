using System.Buffers;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Models;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Models;

public class WordCacheTests
{
    [Fact]
    public void Gives_back_what_was_put_and_nothing_else()
    {
        var random = new Random(6);
        var cache = new WordCache();
        var put = new Dictionary<string, int[]>();
        int found = 0;
        for (int i = 0; i < 200_000; i++)
        {
            byte[] word = new byte[random.Next(1, WordCache.MaxBytes + 1)];
            for (int j = 0; j < word.Length; j++)
            {
                word[j] = (byte)(random.Next(2) == 0 ? 0 : random.Next(4));
            }

            string name = Convert.ToHexString(word);
            var state = new EncodeState();
            var output = new ArrayBufferWriter<int>();
            state.Begin(word.Length, output);
            if (cache.TryAdd(word, state))
            {
                state.End();
                Assert.Equal(put[name], output.WrittenSpan.ToArray());
                found++;
            }
            else
            {
                put[name] = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => random.Next(100_000))];
                cache.Put(word, put[name]);
            }
        }

        Assert.True(found > 1000);
    }
}
