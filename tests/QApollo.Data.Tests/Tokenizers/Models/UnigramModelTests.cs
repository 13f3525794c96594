using System.Buffers;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Text;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers.Models;

public class UnigramModelTests
{
    private const int Unknown = 0;

    [Fact]
    public void Finds_a_segmentation_of_the_highest_score()
    {
        var random = new Random(4);
        for (int round = 0; round < 500; round++)
        {
            var pieces = new Dictionary<string, int> { ["a"] = 1, ["b"] = 2, ["c"] = 3 };
            for (int i = 0; i < 12; i++)
            {
                pieces.TryAdd(RandomWord(random, 4), pieces.Count + 1);
            }

            double[] scores = [0, .. pieces.Select(_ => -random.NextDouble() * 10)];
            string text = RandomWord(random, 12);
            int[] ids = Encode(Model(pieces, scores), text);
            var texts = pieces.ToDictionary(piece => piece.Value, piece => piece.Key);
            Assert.Equal(text, string.Concat(ids.Select(id => texts[id])));
            Assert.Equal(Best(text, pieces, scores), ids.Sum(id => scores[id]), 1e-9);
        }
    }

    [Fact]
    public void Unknown_characters_in_a_row_are_one_id()
    {
        UnigramModel model = Model(new() { ["a"] = 1, ["ab"] = 2 }, [0, -1, -1]);
        Assert.Equal([Unknown, 2, Unknown, 1, Unknown], Encode(model, "xyabzazz"));
    }

    private static UnigramModel Model(Dictionary<string, int> pieces, double[] scores)
    {
        var trie = new ByteTrie();
        foreach ((string piece, int id) in pieces)
        {
            trie.Add(System.Text.Encoding.ASCII.GetBytes(piece), id);
        }

        return new UnigramModel(new UnigramRules { Unknown = Unknown, UnknownScore = scores.Min() - UnigramRules.UnknownPenalty }, trie, scores);
    }

    private static int[] Encode(UnigramModel model, string text)
    {
        var state = new EncodeState();
        var output = new ArrayBufferWriter<int>();
        state.Begin(text.Length, output);
        model.Accept(System.Text.Encoding.ASCII.GetBytes(text), first: true, state);
        state.End();
        return output.WrittenSpan.ToArray();
    }

    private static double Best(string text, Dictionary<string, int> pieces, double[] scores) => text.Length == 0
        ? 0
        : Enumerable.Range(1, text.Length)
            .Where(length => pieces.ContainsKey(text[..length]))
            .Max(length => scores[pieces[text[..length]]] + Best(text[length..], pieces, scores));

    private static string RandomWord(Random random, int longest) =>
        string.Concat(Enumerable.Range(0, random.Next(1, longest)).Select(_ => (char)('a' + random.Next(3))));
}
