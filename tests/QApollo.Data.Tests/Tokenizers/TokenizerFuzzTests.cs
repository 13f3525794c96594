using QApollo.Data.Tokenizers;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

/// <summary>Random damage to tokenizer files: they work, or are refused in one line; nothing crashes, hangs or takes much memory.</summary>
public sealed class TokenizerFuzzTests
{
    private const int Rounds = 400;

    [Theory]
    [InlineData("bytes.json")]
    [InlineData("unigram.json")]
    [InlineData("bpe.model")]
    [InlineData("unigram-user.model")]
    public void A_damaged_tokenizer_works_or_is_refused_in_one_line(string golden)
    {
        using var folder = new TempFolder();
        string path = folder.File(golden);
        byte[] valid = File.ReadAllBytes(TokenizerTesting.Golden(golden));
        var random = new Random(5);
        byte[] text = TokenizerTesting.RandomText(random, 40);
        long usual = AllocatedBytes(path, valid, text, out _);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            long allocated = AllocatedBytes(path, FileDamage.Apply(valid, random), text, out string? refusal);
            Assert.InRange(allocated, 0, (4 * usual) + (1 << 20));
            if (refusal is not null)
            {
                refused++;

                // A damaged table of characters shows when a text meets it.
                Assert.True(refusal.StartsWith($"tokenizer {path}: ", StringComparison.Ordinal) || refusal.StartsWith("the tokenizer's ", StringComparison.Ordinal), refusal);
                Assert.DoesNotContain('\n', refusal);
            }
        }

        Assert.InRange(refused, 1, Rounds - 1);
    }

    /// <summary>Loads the tokenizer, and encodes and decodes a text with it.</summary>
    private static long AllocatedBytes(string path, byte[] file, byte[] text, out string? refusal)
    {
        File.WriteAllBytes(path, file);
        refusal = null;
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            ITokenizer tokenizer = TokenizerLoader.Load(path);
            tokenizer.Bytes(tokenizer.Ids(text));
        }
        catch (UsageException exception)
        {
            refusal = exception.Message;
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
