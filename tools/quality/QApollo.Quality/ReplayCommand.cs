using System.CommandLine;
using System.Globalization;
using QApollo.Cpu;
using QApollo.Data;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Quality;

/// <summary>`qapollo-quality replay`: what each storage rule loses when all follow the updates of one F32 run.</summary>
internal static class ReplayCommand
{
    /// <summary>Of the run's end, which is averaged over: single validations scatter.</summary>
    private static readonly double[] MeasuredAt = [0.8, 0.9, 1.0];

    private static readonly Option<double> Rate = new("--lr") { Description = "Peak learning rate.", DefaultValueFactory = _ => 0.01 };
    private static readonly Option<int> Seeds = new("--seeds") { Description = "Runs, of the seeds 1, 2, ...", DefaultValueFactory = _ => 1 };
    private static readonly Option<long> ValidTokens = new("--valid-tokens") { Description = "Held-out tokens that a loss is the mean of.", DefaultValueFactory = _ => 65_536 };

    public static Command Create()
    {
        var command = new Command("replay", "What each storage rule loses when all follow the updates of one F32 run.") { SharedOptions.Data, SharedOptions.Model, SharedOptions.Steps, Rate, Seeds, ValidTokens };
        command.SetAction(parsed =>
        {
            Execute(parsed);
            return 0;
        });
        return command;
    }

    private static void Execute(ParseResult parsed)
    {
        LlamaConfig model = SharedOptions.ModelOf(parsed);
        int seeds = SharedOptions.AtLeast(parsed, Seeds, 1);
        SharedOptions.AtLeast(parsed, SharedOptions.Steps, 1);
        SharedOptions.AtLeast(parsed, ValidTokens, 1);
        if (!(double.IsFinite(parsed.GetValue(Rate)) && parsed.GetValue(Rate) > 0))
        {
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{Rate.Name}: {parsed.GetValue(Rate)} is no learning rate; it takes a number above 0"));
        }

        using var data = StudyData.Open(parsed.GetValue(SharedOptions.Data) ?? []);
        var table = new ExcessTable();
        for (int seed = 1; seed <= seeds; seed++)
        {
            Run(parsed, model, data.Prepared, data.EndOfDocument, (ulong)seed, table);
            Console.WriteLine($"after seed {seed}, nats above the F32 weights:");
            table.Write(Console.Out);
        }
    }

    private static void Run(ParseResult parsed, LlamaConfig model, PreparedData data, int endOfDocument, ulong seed, ExcessTable table)
    {
        int steps = parsed.GetValue(SharedOptions.Steps);
        var shape = new StepShape(BatchSize: 8, SequenceLength: 256, GradAccum: 1);
        var options = new TrainingOptions
        {
            Model = model,
            Shape = shape,
            Schedule = new LearningRateSchedule(ScheduleKind.Cosine, parsed.GetValue(Rate), steps, steps / 10),
            Memory = new MemoryOptions { Weights = new WeightFormats(WeightFormat.F32, WeightFormat.F32) },
            Seed = seed,
        };
        var batchOptions = new BatchOptions(shape.BatchSize, shape.SequenceLength, model.VocabSize, endOfDocument, seed);
        var batches = new BatchSource(data.Train, batchOptions);
        var validation = new ValidationBatches(data.Validation!, batchOptions, parsed.GetValue(ValidTokens));
        using var device = new CpuDevice();
        using var replay = new Replay();
        using var trainer = new Trainer(options, device, hooks: [replay]);
        replay.Begin(trainer, StorageRule.All);
        var tokens = new int[shape.TokensPerStep];
        var labels = new int[shape.TokensPerStep];
        HashSet<int> measured = [.. MeasuredAt.Select(share => (int)(share * steps))];
        for (int step = 1; step <= steps; step++)
        {
            batches.ReadNext(tokens, labels);
            double loss = trainer.Step(tokens, labels).Loss;
            if (step % 100 == 0)
            {
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, step {step}: loss {loss:F4}"));
            }

            if (measured.Contains(step))
            {
                Measure(replay, validation, model.NumHiddenLayers, (int)seed, table);
            }
        }
    }

    private static void Measure(Replay replay, ValidationBatches validation, int layers, int seed, ExcessTable table)
    {
        double exact = replay.Loss(validation, null, _ => false);
        table.Add("F32: the loss itself", seed, exact);
        foreach (StoredCopy copy in replay.Copies)
        {
            table.Add(copy.Rule.Name, seed, replay.Loss(validation, copy, _ => true) - exact);
            if (copy.Rule.ResidualBits > 0)
            {
                table.Add(copy.Rule.Name + ", products read all bits", seed, replay.Loss(validation, copy, _ => true, withResiduals: true) - exact);
            }
        }

        StoredCopy plain = replay.Copies[0];
        for (int layer = 0; layer < layers; layer++)
        {
            int only = layer;
            table.Add($"{plain.Rule.Name}, layer {layer} alone", seed, replay.Loss(validation, plain, parameter => parameter.Layer == only) - exact);
        }

        foreach (ParameterRole role in new[] { ParameterRole.Query, ParameterRole.Key, ParameterRole.Value, ParameterRole.Output, ParameterRole.Gate, ParameterRole.Up, ParameterRole.Down })
        {
            table.Add($"{plain.Rule.Name}, {role} alone", seed, replay.Loss(validation, plain, parameter => parameter.Role == role) - exact);
        }
    }
}
