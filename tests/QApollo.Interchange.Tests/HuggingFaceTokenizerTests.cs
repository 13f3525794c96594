using QApollo.Checkpoints.Interchange;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.TestSupport;
using Tokenizers.DotNet;
using Xunit;

namespace QApollo.Interchange.Tests;

/// <summary>Hugging Face's own library gives the token ids of the exported tokenizer.json.</summary>
public class HuggingFaceTokenizerTests
{
    /// <summary>Its binding is built for some systems only.</summary>
    private sealed class BindingTheoryAttribute : TheoryAttribute
    {
        public BindingTheoryAttribute()
        {
            if (!OperatingSystem.IsLinux() || System.Runtime.InteropServices.RuntimeInformation.OSArchitecture != System.Runtime.InteropServices.Architecture.X64)
            {
                Skip = "the library is here for Linux on x64";
            }
        }
    }

    [BindingTheory]
    [InlineData("bytes")]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-llama3")]
    [InlineData("bpe-smollm")]
    [InlineData("word-marks")]
    [InlineData("sentencepiece-bpe")]
    [InlineData("sentencepiece-unigram")]
    public void Ids_are_the_same_behind_the_start_token(string kind)
    {
        using var temp = new TempFolder();
        string source = TokenizerFixtures.Write(kind, temp.Path);
        ITokenizer tokenizer = TokenizerLoader.Load(source);
        string folder = temp.File("out");
        Directory.CreateDirectory(folder);
        var tokens = new DocumentTokens(tokenizer.EndOfDocument, tokenizer.EndOfDocument, MaxLength: 512);
        foreach (InterchangeFile file in TokenizerExport.Load(source).HuggingFaceFiles(tokens))
        {
            File.WriteAllBytes(Path.Combine(folder, file.Name), file.Content.ToArray());
        }

        // The exported files make the same tokenizer here as there.
        ITokenizer read = TokenizerLoader.Load(Path.Combine(folder, "tokenizer.json"));
        Assert.Equal(tokenizer.EndOfDocument, read.EndOfDocument);
        Assert.Equal(tokenizer.VocabularySize, read.VocabularySize);
        using var library = new Tokenizer(vocabPath: Path.Combine(folder, "tokenizer.json"));
        var wrong = new List<string>();
        foreach (string text in Texts.All)
        {
            int[] expected = tokenizer.Ids(text);
            int[] ids = [.. library.Encode(text).Select(id => (int)id)];
            if (!read.Ids(text).SequenceEqual(expected) || !(ids.AsSpan().SequenceEqual(expected) || ids.AsSpan().SequenceEqual([tokenizer.EndOfDocument, .. expected])))
            {
                wrong.Add($"{System.Text.Json.JsonSerializer.Serialize(text)}: [{string.Join(' ', ids)}], read [{string.Join(' ', read.Ids(text))}], not [{string.Join(' ', expected)}]");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {Texts.All.Count} texts differ:\n{string.Join('\n', wrong.Take(10))}");
    }
}
