using System.Text;
using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Tokenizers;

/// <summary>Documents begin as transformers encodes them for the model that the tokenizer belongs to.</summary>
public class BeginOfDocumentTests
{
    private const string Template = """
        "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}}]},
        """;

    private const string EndTemplate = """
        "post_processor": {"type": "TemplateProcessing",
          "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
          "special_tokens": {"</s>": {"id": "</s>", "ids": [3], "tokens": ["</s>"]}}},
        """;

    [Theory]
    [InlineData("", null, null)]
    [InlineData("\"post_processor\": {\"type\": \"ByteLevel\"},", null, null)]
    [InlineData("\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 3], \"cls\": [\"<s>\", 4]},", null, 4)]
    [InlineData(Template, null, 4)]
    [InlineData(EndTemplate, null, null)]
    [InlineData(Template, """{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "add_bos_token": false}""", null)]
    [InlineData("", """{"tokenizer_class": "LlamaTokenizerFast", "bos_token": {"content": "<s>"}, "add_bos_token": true}""", 4)]
    [InlineData(Template, """{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "add_bos_token": false}""", 4)]
    [InlineData("", """{"tokenizer_class": "Qwen2Tokenizer", "bos_token": null, "add_bos_token": false}""", null)]
    [InlineData(Template, """{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>"}""", 4)]
    public void The_post_processor_says_it_unless_the_class_reads_add_bos_token(string processor, string? config, int? expected)
    {
        using var folder = new TemporaryFolder();
        ITokenizer tokenizer = Load(folder, processor, config);
        Assert.Equal((expected, 3), (tokenizer.BeginOfDocument, tokenizer.EndOfDocument));
        Assert.Equal([0, 1], tokenizer.Ids("ab"));
    }

    [Theory]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer", "bos_token": "<S>", "add_bos_token": true}""", "its bos_token '<S>' is not in the vocabulary")]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true}""", "its bos_token is missing")]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": "yes"}""", "\"add_bos_token\" must be true or false")]
    public void A_start_token_that_is_not_there_is_named(string config, string expected)
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(expected, Assert.Throws<UsageException>(() => Load(folder, "", config)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"post_processor\": 5,", "a component must be an object, not 5")]
    [InlineData("\"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": []},", "\"cls\" must be a whole number")]
    [InlineData("\"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 5]},", "start token has id 5, but there are 5 ids")]
    [InlineData("\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}], \"special_tokens\": {}},", "\"<s>\" is missing")]
    public void A_broken_post_processor_is_named(string processor, string expected)
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(expected, Assert.Throws<UsageException>(() => Load(folder, processor, null)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer"}""", 1)]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "add_bos_token": true}""", 1)]
    [InlineData("""{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false}""", null)]
    [InlineData("""{"tokenizer_class": "T5Tokenizer"}""", null)]
    public void A_sentencepiece_model_begins_as_the_file_beside_it_says(string? config, int? expected)
    {
        using var folder = new TemporaryFolder();
        File.Copy(TokenizerTesting.Golden("bpe.model"), folder.File("tokenizer.model"));
        if (config is not null)
        {
            File.WriteAllText(folder.File("tokenizer_config.json"), config);
        }

        Assert.Equal(expected, TokenizerLoader.Load(folder.Path).BeginOfDocument);
    }

    [Fact]
    public void Documents_stand_between_their_marks_and_have_another_key()
    {
        using var folder = new TemporaryFolder();
        ITokenizer plain = Load(folder, "", null);
        ITokenizer marked = Load(folder, Template, null);
        byte[][] documents = [.. ((string[])["ab", "ba"]).Select(Encoding.UTF8.GetBytes)];
        Assert.Equal([0, 1, 3, 1, 0, 3], All(TokenDataset.FromDocuments(plain, documents.Select(text => (ReadOnlyMemory<byte>)text))));
        Assert.Equal([4, 0, 1, 3, 4, 1, 0, 3], All(TokenDataset.FromDocuments(marked, documents.Select(text => (ReadOnlyMemory<byte>)text))));
        Assert.Equal(plain.Fingerprint, marked.Fingerprint);
        Assert.NotEqual(TokenizerRecord.Of(plain), TokenizerRecord.Of(marked));

        File.WriteAllText(folder.File("text.txt"), "abba");
        var options = new PreparationOptions { Data = [folder.File("text.txt")], HeldOutFraction = 0, CacheFolder = folder.File("cache") };
        using PreparedData without = CorpusPreparation.Prepare(options, plain);
        using PreparedData with = CorpusPreparation.Prepare(options, marked);
        Assert.Equal([0, 1, 1, 0, 3], All(without.Train));
        Assert.Equal([4, 0, 1, 1, 0, 3], All(with.Train));
    }

    private static int[] All(TokenDataset data)
    {
        var ids = new int[data.Count];
        data.Read(0, ids);
        return ids;
    }

    /// <summary>A vocabulary of a, b, ab and two special tokens; "ab" has no merge.</summary>
    private static ITokenizer Load(TemporaryFolder folder, string processor, string? config)
    {
        File.WriteAllText(folder.File("tokenizer.json"), $$"""
            {"added_tokens": [
               {"id": 3, "content": "</s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
               {"id": 4, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
             "normalizer": null, "pre_tokenizer": null, {{processor}}
             "decoder": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": []} }
            """);
        File.Delete(folder.File("tokenizer_config.json"));
        if (config is not null)
        {
            File.WriteAllText(folder.File("tokenizer_config.json"), config);
        }

        return TokenizerLoader.Load(folder.Path);
    }
}
