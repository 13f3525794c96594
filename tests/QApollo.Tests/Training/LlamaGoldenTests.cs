using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>The engine's forward and backward pass give the reference's logits, loss and gradients.</summary>
public class LlamaGoldenTests
{
    [Theory]
    [MemberData(nameof(GoldenCases.Llama), MemberType = typeof(GoldenCases))]
    public void Logits_loss_and_gradients_match(string set)
    {
        LlamaGolden golden = LlamaGolden.Load(set);
        TrainingOptions options = Engine.Options(golden.Config, new StepShape(golden.Batch, golden.Sequence, 1)) with
        {
            Optimizer = new OptimizerOptions { Kind = OptimizerKind.Sgd },
            Memory = new MemoryOptions { Weights = Engine.Dense, LogitChunk = 37 },
        };
        var gradients = new GradientRecorder();
        using IDevice inner = Engine.Device();
        var logits = new LogitRecorder(inner);
        using var device = new TracingDevice(inner.Profile, logits, inner);
        using Trainer trainer = Engine.Trainer(options, device, projections: null, gradients);
        trainer.Load(golden.Weights);

        StepResult result = trainer.Step(Engine.ToInts(golden.InputIds), Engine.ToInts(golden.Labels));

        Compare.AllClose(logits.Values.ToArray(), golden.Logits, 1e-4, 0, "logits");
        Compare.AllClose([(float)result.Loss], [golden.Loss], 1e-5, 0, "loss");
        Assert.Equal(golden.Gradients.Keys.Order(), gradients.Gradients.Keys.Order());
        foreach ((string name, float[] expected) in golden.Gradients)
        {
            Compare.AllClose(gradients.Gradients[name], expected, 5e-5 * expected.Max(MathF.Abs), 0, "gradient of " + name);
        }
    }

    /// <summary>Copies the logits of every chunk before the loss is taken of them.</summary>
    private sealed class LogitRecorder(IDevice device) : IOperationObserver
    {
        public List<float> Values { get; } = [];

        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            if (operation == "cross-entropy forward")
            {
                Values.AddRange(Engine.Floats(device, accesses[0].Tensor));
            }
        }
    }
}
