using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Models;
using QApollo.Quantization;
using QApollo.TestSupport;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Interchange.Tests;

/// <summary>llama.cpp computes with an exported file what this program computes with the model: an implementation that is not ours.</summary>
[Collection(LlamaCppCollection.Name)]
public class LlamaCppModelTests(ITestOutputHelper output)
{
    private const int Length = 480;
    private const int GreedyTokens = 50;

    [Theory]
    [InlineData("llama")]
    [InlineData("llama tied")]
    [InlineData("llama wide heads")]
    [InlineData("llama biases")]
    [InlineData("llama linear rope")]
    [InlineData("llama 3.2")]
    [InlineData("llama yarn rope")]
    [InlineData("mistral")]
    [InlineData("qwen2.5")]
    [InlineData("qwen2 yarn rope")]
    [InlineData("qwen3")]
    public void Logits_perplexity_and_greedy_tokens_are_the_same(string name)
    {
        using var temp = new TempFolder();
        using var model = new TrainedModel(TinyModels.Config(name), new WeightFormats(WeightFormat.F32, WeightFormat.F32));
        ModelFolder folder = model.Folder;
        using var computed = new Computed(folder, Length);
        int[] tokens = new ByteTokenizer().Ids(Texts.Long)[^(Length + 1)..];
        float[][] expected = computed.Logits(tokens.AsSpan(..Length));
        double loss = computed.Loss(tokens);
        output.WriteLine($"{name}: perplexity {Math.Exp(loss):F2}");

        using (var llama = new LlamaCpp(Export(folder, temp, ExportDType.F32)))
        {
            float[][] logits = llama.Logits(tokens.AsSpan(..Length));
            double error = RelativeError(logits, expected);
            double perplexity = Perplexity(logits, tokens) / Math.Exp(loss);
            output.WriteLine($"{name}: F32 logits differ by {error:E2}, perplexity by {perplexity - 1:E2}");
            Assert.InRange(error, 0, 1e-4);
            Assert.InRange(perplexity, 1 - 1e-3, 1 + 1e-3);
            Assert.Equal(computed.Greedy(tokens.AsSpan(..8), GreedyTokens), llama.Greedy(tokens.AsSpan(..8), GreedyTokens));
        }

        // llama.cpp rounds activations too: what single texts gain and lose by that evens out over several.
        using (var llama = new LlamaCpp(Export(folder, temp, ExportDType.Q8)))
        {
            int[][] texts = [.. new ByteTokenizer().Ids(Texts.Long).Chunk(Length + 1).Where(text => text.Length == Length + 1).TakeLast(8)];
            double rounded = texts.Average(text => Math.Log(Perplexity(llama.Logits(text.AsSpan(..Length)), text)));
            double perplexity = Math.Exp(rounded - texts.Average(text => computed.Loss(text)));
            output.WriteLine($"{name}: Q8_0 perplexity differs by {perplexity - 1:E2}");
            Assert.InRange(perplexity, 1 - 5e-3, 1 + 5e-3);
        }
    }

    [Theory]
    [InlineData(ZeroPointRule.Asymmetric)]
    [InlineData(ZeroPointRule.Symmetric)]
    public void A_checkpoint_in_INT8_is_computed_as_here(ZeroPointRule zeroPoints)
    {
        using var temp = new TempFolder();
        var formats = new WeightFormats(WeightFormat.Int8, WeightFormat.BF16, 32, ZeroPoints: zeroPoints);
        using var model = new TrainedModel(TinyModels.Config("llama"), formats, steps: 100);
        using var computed = new Computed(model.Folder, Length);
        int[] tokens = new ByteTokenizer().Ids(Texts.Long)[^Length..];
        using var llama = new LlamaCpp(Export(model.Folder, temp, ExportDType.F32));
        double error = RelativeError(llama.Logits(tokens), computed.Logits(tokens));
        output.WriteLine($"INT8: F32 logits differ by {error:E2}");
        Assert.InRange(error, 0, 1e-4);
        Assert.Equal(computed.Greedy(tokens.AsSpan(..8), GreedyTokens), llama.Greedy(tokens.AsSpan(..8), GreedyTokens));
    }

    private static string Export(ModelFolder folder, TempFolder temp, ExportDType dtype)
    {
        string path = temp.File($"{dtype}.gguf");
        GgufExport.Write(folder, new GgufExportOptions
        {
            Output = path,
            DType = dtype,
            Name = "test",
            Vocabulary = TokenizerExport.Load("bytes").Gguf(new DocumentTokens(256, 256, 512)),
        });
        return path;
    }

    /// <summary>The largest difference, as a share of the largest logit.</summary>
    private static double RelativeError(float[][] actual, float[][] expected)
    {
        double largest = expected.Max(row => row.Max(Math.Abs));
        return actual.Zip(expected).Max(rows => rows.First.Zip(rows.Second).Max(pair => Math.Abs(pair.First - pair.Second))) / largest;
    }

    private static double Perplexity(float[][] logits, int[] tokens)
    {
        double sum = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double largest = logits[i].Max();
            sum += largest + Math.Log(logits[i].Sum(logit => Math.Exp(logit - largest))) - logits[i][tokens[i + 1]];
        }

        return Math.Exp(sum / logits.Length);
    }
}
