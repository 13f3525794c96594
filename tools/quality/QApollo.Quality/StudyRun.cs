using QApollo.Cpu;
using QApollo.Data;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Quality;

/// <summary>Trains once. Batches, initial weights and projections follow from the seed alone, so that settings can be paired.</summary>
internal static class StudyRun
{
    /// <summary>Of the run's end, which is averaged over: single validations scatter.</summary>
    public static IReadOnlyList<double> MeasuredAt { get; } = [0.8, 0.85, 0.9, 0.95, 1];

    public const int DefaultBatchSize = 8;

    public const int DefaultSequenceLength = 256;

    /// <exception cref="RunFailedException">The loss is not finite.</exception>
    public static StudyResult Train(StudyOptions study, Setting setting, StudyData data, int seed)
    {
        var shape = new StepShape(study.BatchSize, study.SequenceLength, GradAccum: 1);
        TrainingOptions options = setting.Apply(new TrainingOptions
        {
            Model = study.Model,
            Shape = shape,
            Schedule = new LearningRateSchedule(ScheduleKind.Cosine, setting.LearningRate, study.Steps, study.Steps / 10),
            Memory = new MemoryOptions { Weights = new WeightFormats(WeightFormat.F32, WeightFormat.F32) },
            Seed = (ulong)seed,
        });
        var batchOptions = new BatchOptions(shape.BatchSize, shape.SequenceLength, study.Model.VocabSize, data.EndOfDocument, (ulong)seed);
        var batches = new BatchSource(data.Prepared.Train, batchOptions);
        var validation = new ValidationBatches(data.Prepared.Validation!, batchOptions, study.ValidTokens);
        using var device = new CpuDevice(study.Threads);
        using var trainer = new Trainer(options, device);
        int[] tokens = new int[shape.TokensPerStep], labels = new int[shape.TokensPerStep];
        HashSet<int> measured = [.. MeasuredAt.Select(share => (int)(share * study.Steps))];
        List<double> losses = [];
        for (int step = 1; step <= study.Steps; step++)
        {
            batches.ReadNext(tokens, labels);
            double loss = trainer.Step(tokens, labels).Loss;
            if (!double.IsFinite(loss))
            {
                throw new RunFailedException($"{setting.Name}, seed {seed}: the loss of step {step} is {loss}");
            }

            if (measured.Contains(step))
            {
                losses.Add(Evaluation.MeanLoss(trainer, validation).Loss);
            }
        }

        return new StudyResult(study.ModelName, study.Steps, data.Fingerprint, setting.Name, setting.LearningRate, seed, losses.Average(), losses[^1])
        {
            BatchSize = study.BatchSize,
            SequenceLength = study.SequenceLength,
            ValidTokens = study.ValidTokens,
        };
    }
}
