using System.Runtime.InteropServices;
using QApollo.Cpu;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

const int Steps = 20;
var tokenizer = new ByteTokenizer();
using PreparedData data = PreparedData.InMemory(tokenizer, [File.ReadAllBytes(args[0])]);
var options = new TrainingOptions
{
    Model = LlamaPresets.TryFind("demo")!.Config,
    Shape = new StepShape(BatchSize: 2, SequenceLength: 64, GradAccum: 1),
    Schedule = new LearningRateSchedule(ScheduleKind.Cosine, Peak: 0.01, Steps, WarmupSteps: 2),
};
var batches = new BatchSource(data.Train, new BatchOptions(2, 64, options.Model.VocabSize, tokenizer.EndOfDocument));
using var device = new CpuDevice();
using var trainer = new Trainer(options, device, hooks: [new NormLog()]);
int[] tokens = new int[options.Shape.TokensPerStep], labels = new int[options.Shape.TokensPerStep];
for (int step = 0; step < Steps; step++)
{
    batches.ReadNext(tokens, labels);
    StepResult result = trainer.Step(tokens, labels);
    Console.WriteLine($"step {result.Step}: loss {result.Loss:F4}, norm of the gradient {result.GradientNorm:G4}");
}

/// <summary>Sees each gradient when it is complete, before its optimizer does.</summary>
internal sealed class NormLog : IReleaseHook
{
    public void BeforeUpdate(IDevice device, in ReleasedGradient released)
    {
        float[] values = new float[released.Gradient.Elements];
        device.Download(released.Gradient, MemoryMarshal.AsBytes(values.AsSpan()));
        Console.WriteLine($"  {released.Parameter.Name}: {Math.Sqrt(values.Sum(value => (double)value * value)):G4}");
    }
}
