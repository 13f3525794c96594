using System.Text;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Training;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Training;

public class BpeTrainerTests
{
    [Fact]
    public void Merges_the_most_frequent_pair_first_and_the_smaller_ids_among_equals()
    {
        // Sennrich et al.'s example: low 5 times, lower 2, newest 6, widest 3.
        ByteLevelBpe model = Train(["low low low low low lower lower newest newest newest newest newest newest widest widest widest"], size: 263);
        Assert.Equal(["es", "est", "lo", "low", "ew", "new"], Merged(model));
    }

    [Fact]
    public void Overlapping_pairs_are_merged_left_to_right()
    {
        ByteLevelBpe model = Train([string.Concat(Enumerable.Repeat("aaaaa\n", 10))], size: 300);
        Assert.Equal(["aa", "aaa", "aaaaa"], Merged(model).Where(token => token.Contains('a', StringComparison.Ordinal)));
    }

    [Fact]
    public void Agrees_with_counting_anew_after_every_merge()
    {
        var random = new Random(8);
        for (int round = 0; round < 20; round++)
        {
            string[] words = [.. Enumerable.Range(0, 60).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => (char)('a' + random.Next(3)))))];
            ByteLevelBpe model = Train([string.Join('\n', words)], size: 330, least: 1);
            Assert.Equal(Recount(words, model.Merges.Count), Merged(model));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void The_number_of_threads_does_not_change_the_result(int threads)
    {
        string[] documents = [.. RandomDocuments(300)];
        ByteLevelBpe expected = Train(documents, size: 700, threads: 3);
        ByteLevelBpe model = Train(documents, size: 700, threads: threads);
        Assert.Equal(expected.Merges, model.Merges);
        Assert.Equal(700, model.VocabularySize);
    }

    [Fact]
    public void Forgetting_rare_words_keeps_the_frequent_ones_and_does_not_depend_on_threads()
    {
        string[] documents = [.. RandomDocuments(50), .. Enumerable.Range(0, 20_000).Select(i => "rare" + string.Concat($"{i:D5}".Select(digit => (char)(digit + 'a' - '0'))))];
        var options = new BpeTrainerOptions { VocabularySize = 300, MaxWords = 1000, Threads = 1 };
        ByteLevelBpe one = BpeTrainer.Train(Utf8(documents), options);
        ByteLevelBpe four = BpeTrainer.Train(Utf8(documents), options with { Threads = 4 });
        Assert.Equal(one.Merges, four.Merges);
        Assert.DoesNotContain("rare", Merged(one));
        Assert.Contains("rare", Merged(BpeTrainer.Train(Utf8(documents), options with { MaxWords = 100_000 })));
    }

    [Fact]
    public void Pairs_below_the_least_frequency_are_not_merged()
    {
        ByteLevelBpe model = Train(["ab ab ab cd"], size: 400);
        Assert.Equal(["ab", " ab"], Merged(model));
        Assert.True(model.VocabularySize < 400);
    }

    [Fact]
    public void Documents_may_use_their_memory_again()
    {
        byte[] shared = new byte[64];
        IEnumerable<ReadOnlyMemory<byte>> Reused()
        {
            foreach (string document in RandomDocuments(100))
            {
                int length = Encoding.UTF8.GetBytes(document.AsSpan(0, Math.Min(document.Length, 16)), shared);
                yield return shared.AsMemory(0, length);
            }
        }

        var options = new BpeTrainerOptions { VocabularySize = 300, Threads = 2 };
        ByteLevelBpe copied = BpeTrainer.Train([.. RandomDocuments(100).Select(d => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(d[..Math.Min(d.Length, 16)])))], options);
        Assert.Equal(copied.Merges, BpeTrainer.Train(Reused(), options).Merges);
    }

    [Fact]
    public void The_written_file_gives_the_same_tokenizer_and_loses_nothing()
    {
        using var folder = new TempFolder();
        ByteLevelBpe model = Train([.. RandomDocuments(200)], size: 600);
        TokenizerJson.Write(folder.File("tokenizer.json"), model);
        Assert.Equal(["tokenizer.json"], folder.Names);
        ITokenizer written = TokenizerLoader.Load(folder.Path);
        ITokenizer direct = TokenizerJson.Create(model);
        Assert.Equal(direct.Fingerprint, written.Fingerprint);
        Assert.Equal(600, written.VocabularySize);
        Assert.Equal(599, written.EndOfDocument);
        Assert.Equal([599], TokenizerLoader.Load(folder.Path, SpecialTokenMode.Parse).Ids(ByteLevelBpe.EndOfDocumentText));
        Assert.DoesNotContain(599, written.Ids(ByteLevelBpe.EndOfDocumentText));
        var random = new Random(1);
        for (int round = 0; round < 2000; round++)
        {
            byte[] text = TokenizerTesting.RandomText(random, 30);
            Assert.Equal(text, written.Bytes(written.Ids(text)));
        }
    }

    [Fact]
    public void A_file_that_cannot_be_written_leaves_nothing()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.File("tokenizer.json"));
        Assert.Throws<RunFailedException>(() => TokenizerJson.Write(folder.File("tokenizer.json"), Train(["ab ab"], size: 260)));
        Assert.Equal(["tokenizer.json"], folder.Names);
    }

    [Fact]
    public void Options_and_documents_are_checked()
    {
        Assert.Contains("257", Assert.Throws<UsageException>(() => Train(["a"], size: 256)).Message, StringComparison.Ordinal);
        Assert.Throws<UsageException>(() => Train(["a"], size: 300, least: 0));
        Assert.Throws<UsageException>(() => Train([], size: 300));
    }

    private static ByteLevelBpe Train(string[] documents, int size, int threads = 2, long least = 2) => BpeTrainer.Train(
        Utf8(documents), new BpeTrainerOptions { VocabularySize = size, Threads = threads, MinFrequency = least });

    private static IEnumerable<ReadOnlyMemory<byte>> Utf8(string[] documents) =>
        documents.Select(document => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(document)));

    private static List<string> Merged(ByteLevelBpe model) =>
        [.. model.Merges.Select(merge => Encoding.UTF8.GetString([.. model.Tokens[merge.Left], .. model.Tokens[merge.Right]]))];

    private static IEnumerable<string> RandomDocuments(int count)
    {
        var random = new Random(count);
        string[] syllables = ["ka", "to", "mi", "ren", "so", "él", "ü", "日", "n", "xq"];
        for (int i = 0; i < count; i++)
        {
            yield return string.Join(' ', Enumerable.Range(0, random.Next(5, 80)).Select(_ =>
                string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => syllables[(int)(random.NextDouble() * random.NextDouble() * syllables.Length)]))));
        }
    }

    /// <summary>The definition: count all pairs, merge the best everywhere, begin again.</summary>
    private static List<string> Recount(string[] words, int merges)
    {
        List<List<string>> split = [.. words.Select(word => word.Select(c => c.ToString()).ToList())];
        var order = new Dictionary<string, int> { ["a"] = 'a', ["b"] = 'b', ["c"] = 'c' };
        var merged = new List<string>();
        while (merged.Count < merges)
        {
            var counts = new Dictionary<(string, string), int>();
            foreach (List<string> word in split)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
                }
            }

            if (counts.Count == 0)
            {
                break;
            }

            ((string left, string right), _) = counts.OrderByDescending(pair => pair.Value).ThenBy(pair => order[pair.Key.Item1]).ThenBy(pair => order[pair.Key.Item2]).First();
            merged.Add(left + right);
            order.TryAdd(left + right, 1000 + merged.Count);
            foreach (List<string> word in split)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = left + right;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return merged;
    }
}
