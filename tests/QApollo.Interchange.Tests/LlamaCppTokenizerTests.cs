using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Interchange.Tests;

/// <summary>llama.cpp gives the token ids of the exported tokenizer.</summary>
[Collection(LlamaCppCollection.Name)]
public class LlamaCppTokenizerTests
{
    [Fact]
    public void Where_llama_cpp_cuts_some_words_otherwise_the_export_says_so()
    {
        ITokenizer tokenizer = TokenizerLoader.Load("o200k_base");
        GgufVocabulary vocabulary = TokenizerExport.Load("o200k_base").Gguf(new DocumentTokens(null, tokenizer.EndOfDocument, 512));
        Assert.Equal("gpt-4o", vocabulary.PreTokenizer);
        Assert.Contains(vocabulary.Notes, note => note.Contains("combining marks", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("bytes")]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-llama3")]
    [InlineData("bpe-llama3-words")]
    [InlineData("bpe-qwen2")]
    [InlineData("bpe-smollm")]
    [InlineData("word-marks")]
    [InlineData("sentencepiece-bpe")]
    [InlineData("sentencepiece-unigram")]
    [InlineData("r50k_base")]
    public void Ids_are_the_same(string kind)
    {
        using var temp = new TempFolder();
        string source = TokenizerFixtures.Write(kind, temp.Path);
        ITokenizer tokenizer = TokenizerLoader.Load(source);

        // Three rows more than tokens: padded vocabularies are usual.
        TinyModels.Write(temp.Path, TinyModels.Llama(tokenizer.VocabularySize + 3, tied: true));
        using var model = new ModelFolder(temp.Path);
        string path = temp.File("vocabulary.gguf");
        var tokens = new DocumentTokens(tokenizer.EndOfDocument, tokenizer.EndOfDocument, MaxLength: 512);
        GgufExport.Write(model, new GgufExportOptions
        {
            Output = path,
            DType = ExportDType.F16,
            Name = kind,
            Vocabulary = TokenizerExport.Load(source).Gguf(tokens),
        });

        using var llama = new LlamaCpp(path, vocabularyOnly: true);
        Assert.Equal(tokenizer.VocabularySize + 3, llama.VocabularySize);
        Assert.True(Texts.All.Count >= 200);
        var wrong = new List<string>();
        foreach (string text in Texts.All)
        {
            int[] expected = tokenizer.Ids(text);
            int[] ids = llama.Tokenize(text);
            if (!expected.SequenceEqual(ids))
            {
                wrong.Add($"{System.Text.Json.JsonSerializer.Serialize(text)}: [{string.Join(' ', ids)}], not [{string.Join(' ', expected)}]");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {Texts.All.Count} texts differ:\n{string.Join('\n', wrong.Take(10))}");
        Assert.Equal([tokenizer.EndOfDocument, .. tokenizer.Ids("hello")], llama.Tokenize("hello", addSpecial: true));
    }
}
