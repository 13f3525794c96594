using System.Globalization;
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

    private static readonly JsonNode AsText = JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden("special-tokens-as-text.json")))!;

    private static readonly JsonNode Tiktoken = JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden("tiktoken.json")))!;

    public static TheoryData<string> Names => [.. Cases.Select(item => item!["name"]!.GetValue<string>())];

    [Theory]
    [MemberData(nameof(Names))]
    public void Tokenizer_json_gives_the_ids_of_its_own_library(string name)
    {
        JsonNode golden = Cases.Single(item => item!["name"]!.GetValue<string>() == name)!;
        Check(Read(golden, SpecialTokenMode.Parse), golden);
    }

    /// <summary>By the same library, from files whose special tokens have names that no text holds.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Special_tokens_as_text_give_the_ids_of_a_library_that_does_not_know_them(string name)
    {
        JsonNode golden = Cases.Single(item => item!["name"]!.GetValue<string>() == name)!;
        JsonObject asText = AsText[name]!.AsObject();
        ITokenizer tokenizer = Read(golden, SpecialTokenMode.Text);
        for (int i = 0; i < Strings.Length; i++)
        {
            JsonNode expected = asText[i.ToString(CultureInfo.InvariantCulture)] ?? golden["ids"]![i]!;
            Assert.Equal(expected.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Ids(Strings[i]));
        }
    }

    [Theory]
    [InlineData("gpt2", "r50k_base")]
    [InlineData("r50k_base", "r50k_base")]
    [InlineData("cl100k_base", "cl100k_base")]
    [InlineData("o200k_base", "o200k_base")]
    public void Vocabularies_at_hand_give_the_ids_of_Hugging_Faces_library(string name, string golden)
    {
        foreach (SpecialTokenMode mode in Enum.GetValues<SpecialTokenMode>())
        {
            ITokenizer tokenizer = TokenizerLoader.Load(name, mode);
            JsonArray ids = Tiktoken[golden]![mode == SpecialTokenMode.Text ? "text" : "parse"]!.AsArray();
            for (int i = 0; i < Strings.Length; i++)
            {
                int[] expected = [.. ids[i]!.AsArray().Select(id => id!.GetValue<int>())];
                Assert.Equal(expected, tokenizer.Ids(Strings[i]));
                Assert.Equal(Strings[i], tokenizer.Text(expected));
            }
        }
    }

    private static HuggingFaceTokenizer Read(JsonNode golden, SpecialTokenMode mode)
    {
        JsonObject file = JsonNode.Parse(File.ReadAllText(TokenizerTesting.Golden(golden["base"]!.GetValue<string>())))!.AsObject();
        foreach ((string field, JsonNode? value) in golden["changes"]!.AsObject())
        {
            file[field] = value?.DeepClone();
        }

        return TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(file.ToJsonString()), folder: null, mode);
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
            string text = golden["decoded"]![i.ToString(CultureInfo.InvariantCulture)]?.GetValue<string>() ?? Strings[i];
            Assert.Equal(text, tokenizer.Text(expected));
        }
    }
}
