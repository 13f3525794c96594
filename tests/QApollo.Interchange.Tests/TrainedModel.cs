using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Data.Tokenizers;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.TestSupport;
using QApollo.Training;

namespace QApollo.Interchange.Tests;

/// <summary>A tiny model that has learned a little of <see cref="Texts.Long"/>, as a checkpoint: its predictions are no noise.</summary>
internal sealed class TrainedModel : IDisposable
{
    private const int BatchSize = 4;
    private const int Length = 64;

    private readonly TempFolder _temp = new();

    public TrainedModel(LlamaConfig config, WeightFormats formats, int steps = 200)
    {
        TinyModels.Write(_temp.Path, config);
        using var device = new CpuDevice(threads: 2);
        var options = new TrainingOptions
        {
            Model = config,
            Shape = new StepShape(BatchSize, Length, 1),
            Schedule = new LearningRateSchedule(ScheduleKind.Cosine, 0.004, steps),
            Optimizer = new OptimizerOptions { Kind = OptimizerKind.AdamW },
            Memory = new MemoryOptions { Weights = formats },
        };
        using var trainer = new Trainer(options, device);
        using (var initial = new ModelFolder(_temp.Path))
        {
            initial.Load(device, trainer.Layout.Weights, trainer.Layout.WeightStaging);
        }

        int[] text = new ByteTokenizer().Ids(Texts.Long);
        var random = new Random(1);
        var tokens = new int[BatchSize * Length];
        var labels = new int[tokens.Length];
        for (int step = 0; step < steps; step++)
        {
            for (int sequence = 0; sequence < BatchSize; sequence++)
            {
                int start = random.Next(text.Length - Length);
                text.AsSpan(start, Length).CopyTo(tokens.AsSpan(sequence * Length));
                text.AsSpan(start + 1, Length).CopyTo(labels.AsSpan(sequence * Length));
            }

            trainer.Step(tokens, labels);
        }

        string run = _temp.File("run");
        Directory.CreateDirectory(run);
        Folder = new ModelFolder(Checkpoint.Save(trainer, new RunState(steps, steps * tokens.Length, new DataPosition(0, 0), 1, "00"), run));
    }

    /// <summary>The checkpoint.</summary>
    public ModelFolder Folder { get; }

    public void Dispose()
    {
        Folder.Dispose();
        _temp.Dispose();
    }
}
