using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.HuggingFace;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

/// <summary>
/// Ids and texts as Hugging Face's tokenizers 0.23 and SentencePiece 0.1.97 give them; tools/reference/tokenizers makes the files.
/// </summary>
public class GoldenTokenizerTests
{
    private static readonly string[] Strings = JsonSerializer.Deserialize<string[]>(File.ReadAllText(TokenizerTesting.Golden("strings.json")))!;

    private static readonly JsonArray Cases = JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden("cases.json")))!.AsArray();

    public static TheoryData<string> Names => [.. Cases.Select(item => item!["name"]!.GetValue<string>())];

    [Theory]
    [MemberData(nameof(Names))]
    public void Tokenizer_json_gives_the_ids_of_its_own_library(string name)
    {
        JsonNode golden = Cases.Single(item => item!["name"]!.GetValue<string>() == name)!;
        JsonObject file = JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden(golden["base"]!.GetValue<string>())))!.AsObject();
        foreach ((string field, JsonNode? value) in golden["changes"]!.AsObject())
        {
            file[field] = value?.DeepClone();
        }

        Check(TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(file.ToJsonString()), folder: null), golden);
    }

    [Theory]
    [InlineData("bpe.model")]
    [InlineData("bpe-user.model")]
    [InlineData("unigram.model")]
    [InlineData("unigram-user.model")]
    public void A_model_gives_the_ids_of_SentencePiece(string model) => Check(
        TokenizerLoader.Load(TokenizerTesting.Golden(model)), JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden(model + ".ids.json")))!);

    private static void Check(ITokenizer tokenizer, JsonNode golden)
    {
        for (int i = 0; i < Strings.Length; i++)
        {
            int[] expected = [.. golden["ids"]![i]!.AsArray().Select(id => id!.GetValue<int>())];
            Assert.Equal(expected, tokenizer.Ids(Strings[i]));
            string text = golden["decoded"]![i.ToString(System.Globalization.CultureInfo.InvariantCulture)]?.GetValue<string>() ?? Strings[i];
            Assert.Equal(text, tokenizer.Text(expected));
        }
    }
}
