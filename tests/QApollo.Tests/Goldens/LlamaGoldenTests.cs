using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.Goldens;

/// <summary>The reference LLaMA gives the logits, the loss and the gradients of the outside implementation.</summary>
public class LlamaGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Llama), MemberType = typeof(GoldenCases))]
    public void The_reference_gives_the_same_logits_loss_and_gradients(string set)
    {
        LlamaGolden golden = LlamaGolden.Load(set);
        var weights = golden.Weights.ToDictionary(pair => pair.Key, pair => Precision.ToDouble(pair.Value));
        ReferencePass pass = new ReferenceLlama(golden.Config, weights).Run(golden.InputIds, golden.Labels, golden.Sequence);

        Compare.AllClose(pass.Logits, golden.Logits, 1e-4, 0, "logits");
        Compare.AllClose([pass.Loss], new double[] { golden.Loss }, 1e-5, 0, "loss");
        Assert.Equal(golden.Gradients.Keys.Order(), pass.Gradients.Keys.Order());
        foreach (var (name, expected) in golden.Gradients)
        {
            Compare.AllClose(pass.Gradients[name], expected, 5e-5 * expected.Max(MathF.Abs), 0, name);
        }
    }
}
