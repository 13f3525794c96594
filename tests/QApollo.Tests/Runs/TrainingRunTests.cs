using QApollo.Batches;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Runs;

/// <summary>What a run does when something is not as it was, or not finite.</summary>
public sealed class TrainingRunTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly CpuDevice device = Engine.Cpu();

    public void Dispose()
    {
        device.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void A_validation_that_is_not_finite_ends_the_run_before_it_saves()
    {
        TrainingOptions options = Options(maxSteps: 3) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        using Trainer trainer = Engine.Trainer(options, device);
        var observer = new Observer
        {
            Step = () => device.Upload(BitConverter.GetBytes(float.PositiveInfinity), FirstOf(trainer.Layout.Weights.FinalNorm.Values)),
        };
        TrainingRun run = Run(trainer, new Batches(), observer, evaluateEvery: 1);

        string message = Assert.Throws<RunFailedException>(() => run.Run(CancellationToken.None)).Message;

        Assert.StartsWith("step 1: the validation loss is ", message, StringComparison.Ordinal);
        Assert.Equal(["metrics.jsonl"], folder.Names);
    }

    [Theory]
    [InlineData("a", 100, null)]
    [InlineData("b", 100, "other tokens")]
    [InlineData("a", 101, "101")]
    [InlineData("", 100, "other tokens")]
    public void Resuming_compares_the_data(string fingerprint, int tokens, string? expected)
    {
        Train(Options(maxSteps: 2), new Batches("a"));
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 2), device);
        TrainingRun run = Run(trainer, new Batches(fingerprint, tokens), new Observer());
        run.Resume();
        if (expected is null)
        {
            Assert.Empty(run.Changes);
        }
        else
        {
            Assert.Contains(expected, Assert.Single(run.Changes), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(ScheduleKind.Cosine, true)]
    [InlineData(ScheduleKind.Constant, false)]
    public void A_longer_schedule_is_told(ScheduleKind kind, bool jumps)
    {
        Train(Options(maxSteps: 4, kind), new Batches());
        TrainingOptions longer = Options(maxSteps: 40, kind);
        using Trainer trainer = Engine.Trainer(longer, device);
        TrainingRun run = Run(trainer, new Batches(), new Observer(), maxSteps: 40);
        run.Resume();
        Assert.Equal(jumps, run.Changes.Any(change => change.Contains("the learning rate was 0.001 at this step and is", StringComparison.Ordinal)));
        Assert.Equal(jumps ? 1 : 0, run.Changes.Count);
    }

    [Fact]
    public void A_damaged_checkpoint_names_the_one_to_go_on_from()
    {
        Train(Options(maxSteps: 3), new Batches(), saveEvery: 1);
        string newest = folder.File(CheckpointFolder.NameOf(3));
        File.AppendAllText(Path.Combine(newest, "model.safetensors"), "x");
        File.Delete(Path.Combine(folder.File(CheckpointFolder.NameOf(2)), "state.json"));
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 3), device);
        TrainingRun run = Run(trainer, new Batches(), new Observer());

        string message = Assert.Throws<InvalidFileException>(run.Resume).Message;

        Assert.StartsWith(Path.Combine(newest, "model.safetensors"), message, StringComparison.Ordinal);
        Assert.EndsWith($"delete {newest} to go on from {folder.File(CheckpointFolder.NameOf(1))}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_reading_of_a_checkpoint_tells_how_far_it_is()
    {
        Train(Options(maxSteps: 1), new Batches());
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 1), device);
        var stages = new Stages();
        new TrainingRun(new RunOptions { Directory = folder.Path, MaxSteps = 1 }, trainer, new Batches(), null, "tokenizer", new Observer()) { Reading = stages }.Resume();
        Assert.Equal(
            ["checking config.json", "checking model.safetensors", "checking optimizer.safetensors", "checking state.json", "checking generation_config.json", "checking model.safetensors.index.json", "reading weights", "reading optimizer.safetensors"],
            stages.Names);
        Assert.All(stages.Reports.GroupBy(report => report.Stage), stage => Assert.Equal(stage.Last().Total, stage.Last().Done));
        using var model = new ModelFolder(folder.Path, stages);
        Assert.Equal("checking model.safetensors.index.json", stages.Reports[^1].Stage);
    }

    [Fact]
    public void A_checkpoint_under_anothers_name_is_refused()
    {
        Train(Options(maxSteps: 2), new Batches());
        Directory.Move(folder.File(CheckpointFolder.NameOf(2)), folder.File(CheckpointFolder.NameOf(3)));
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 3), device);
        Assert.Contains("after 2 steps", Assert.Throws<InvalidFileException>(Run(trainer, new Batches(), new Observer()).Resume).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1e5f)]
    [InlineData(float.PositiveInfinity)]
    public void A_spike_leads_back_to_the_newest_checkpoint_and_on_with_later_data(float spoilt)
    {
        TrainingOptions options = Options(maxSteps: 5) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        using Trainer trainer = Engine.Trainer(options, device);
        int step = 0;
        var observer = new Observer { Step = () => Spoil(trainer, ++step == 3, spoilt) };
        var batches = new Batches();
        TrainingRun run = Run(trainer, batches, observer, new RunOptions { Directory = folder.Path, MaxSteps = 5, SaveEvery = 2, OnSpike = SpikeAction.Rewind });

        Assert.True(run.Run(CancellationToken.None));

        Assert.Contains("back to step 2", Assert.Single(observer.Warnings), StringComparison.Ordinal);
        var history = MetricsHistory.Read(folder.File("metrics.jsonl"));
        Assert.Equal([1, 2, 3, 4, 5], history.Losses.Select(loss => loss.Step));
        Assert.All(history.Losses, loss => Assert.InRange(loss.Loss, 0, 10));
        Assert.Equal(7, batches.Reads);
    }

    [Theory]
    [InlineData(1e5f)]
    [InlineData(float.NaN)]
    public void A_spike_is_skipped_told_and_not_compared_with(float spoilt)
    {
        TrainingOptions options = Options(maxSteps: 6) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        using Trainer trainer = Engine.Trainer(options, device);
        byte[] healthy = [];
        int step = 0;
        var observer = new Observer
        {
            Step = () =>
            {
                // The norm stands for data that no model can explain; it heals after the step.
                Tensor norm = FirstOf(trainer.Layout.Weights.FinalNorm.Values);
                if (++step == 2)
                {
                    healthy = Engine.Bytes(device, norm);
                }

                Spoil(trainer, step == 2, spoilt);
                if (step == 3)
                {
                    Assert.Equal(BitConverter.GetBytes(spoilt), Engine.Bytes(device, norm));
                    device.Upload(healthy, norm);
                }
            },
        };
        var batches = new Batches();
        RunOptions runOptions = new() { Directory = folder.Path, MaxSteps = 6, SaveEvery = 3, OnSpike = SpikeAction.Skip, HealthEvery = 1 };
        TrainingRun run = Run(trainer, batches, observer, runOptions);

        Assert.True(run.Run(CancellationToken.None));

        Assert.StartsWith("step 3: the loss is ", Assert.Single(observer.Warnings), StringComparison.Ordinal);
        Assert.EndsWith("its update is left out", observer.Warnings[0], StringComparison.Ordinal);
        Assert.Equal((6, 1, 6), (batches.Reads, run.SkippedSteps, trainer.CompletedSteps));
        string[] lines = File.ReadAllLines(folder.File("metrics.jsonl"));
        Assert.Contains("\"changedShare\":0,\"skipped\":true", Assert.Single(lines, line => line.Contains("skipped", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(5, lines.Count(line => line.Contains("\"health\"", StringComparison.Ordinal)));

        using Trainer again = Engine.Trainer(options, device);
        TrainingRun resumed = Run(again, new Batches(), new Observer(), runOptions);
        resumed.Resume();
        Assert.Equal(1, resumed.SkippedSteps);
    }

    [Fact]
    public void Weights_that_are_at_fault_are_not_skipped_for_ever_resumed_or_not()
    {
        TrainingOptions options = Options(maxSteps: 40) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        RunOptions Until(int steps) => new() { Directory = folder.Path, MaxSteps = steps, SaveEvery = 1, OnSpike = SpikeAction.Skip };
        using Trainer trainer = Engine.Trainer(options, device);
        Assert.True(Run(trainer, new Batches(), new Observer { Step = () => Spoil(trainer, trainer.CompletedSteps == 1, 1e5f) }, Until(6)).Run(CancellationToken.None));
        using Trainer again = Engine.Trainer(options, device);
        TrainingRun resumed = Run(again, new Batches(), new Observer(), Until(40));
        resumed.Resume();

        string message = Assert.Throws<RunFailedException>(() => resumed.Run(CancellationToken.None)).Message;

        Assert.StartsWith("step 11: ", message, StringComparison.Ordinal);
        Assert.Contains("10 updates in a row", message, StringComparison.Ordinal);
        Assert.Equal(10, CheckpointFolder.List(folder.Path)[^1].Step);
    }

    [Fact]
    public void Without_a_checkpoint_there_is_no_way_back()
    {
        TrainingOptions options = Options(maxSteps: 5) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        using Trainer trainer = Engine.Trainer(options, device);
        TrainingRun run = Run(
            trainer, new Batches(), new Observer { Step = () => Spoil(trainer, true, 1e5f) },
            new RunOptions { Directory = folder.Path, MaxSteps = 5, OnSpike = SpikeAction.Rewind });
        Assert.Contains("no checkpoint to go back to", Assert.Throws<RunFailedException>(() => run.Run(CancellationToken.None)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SpikeAction.Warn)]
    [InlineData(SpikeAction.Stop)]
    public void A_spike_is_told_once_or_ends_the_run_unsaved(SpikeAction action)
    {
        TrainingOptions options = Options(maxSteps: 5) with { Memory = new MemoryOptions { Weights = Engine.Dense } };
        using Trainer trainer = Engine.Trainer(options, device);
        var observer = new Observer { Step = () => Spoil(trainer, true, 1e5f) };
        TrainingRun run = Run(trainer, new Batches(), observer, new RunOptions { Directory = folder.Path, MaxSteps = 5, OnSpike = action });
        if (action == SpikeAction.Stop)
        {
            string message = Assert.Throws<RunFailedException>(() => run.Run(CancellationToken.None)).Message;
            Assert.StartsWith("step 2: the loss is ", message, StringComparison.Ordinal);
            Assert.Empty(CheckpointFolder.List(folder.Path));
        }
        else
        {
            Assert.True(run.Run(CancellationToken.None));
            Assert.StartsWith("step 2: the loss is ", Assert.Single(observer.Warnings), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Patience_ends_a_run_that_gets_no_better_and_the_best_checkpoint_stays()
    {
        TrainingOptions options = Options(maxSteps: 9) with { Schedule = new LearningRateSchedule(ScheduleKind.Constant, 0, 9) };
        using Trainer trainer = Engine.Trainer(options, device);
        var observer = new Observer();
        RunOptions runOptions = new() { Directory = folder.Path, MaxSteps = 9, SaveEvery = 1, Keep = 1, EvaluateEvery = 1, KeepBest = true, Patience = 3 };
        TrainingRun run = Run(trainer, new Batches(), observer, runOptions);

        Assert.True(run.Run(CancellationToken.None));

        Assert.Equal((1, 3), (run.Best.Step, run.Best.Since));
        Assert.Equal([1, 4], CheckpointFolder.List(folder.Path).Select(checkpoint => checkpoint.Step));
        Assert.Contains("no better validation", Assert.Single(observer.Warnings), StringComparison.Ordinal);

        using Trainer again = Engine.Trainer(options, device);
        TrainingRun resumed = Run(again, new Batches(), new Observer(), runOptions);
        resumed.Resume();
        Assert.True(resumed.Run(CancellationToken.None));
        Assert.Equal((4, 1), (again.CompletedSteps, resumed.Best.Step));
    }

    [Theory]
    [InlineData(2.5, 2)]
    [InlineData(3, 3)]
    [InlineData(0.1, 1)]
    [InlineData(9, 5)]
    public void A_session_ends_before_the_step_that_does_not_fit_and_the_next_one_arrives_at_the_same_bytes(double hours, int steps)
    {
        using (Trainer whole = Engine.Trainer(Options(maxSteps: 5), device))
        {
            Run(whole, new Batches(), new Observer(), new RunOptions { Directory = folder.File("whole"), MaxSteps = 5 }).Run(CancellationToken.None);
        }

        // Each step takes an hour.
        var clock = new HandClock();
        string directory = folder.File("run");
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 5), device);
        TrainingRun run = Run(
            trainer, new Batches(), new Observer { Step = () => clock.Now += TimeSpan.FromHours(1) },
            new RunOptions { Directory = directory, MaxSteps = 5, Time = new SessionTime(TimeSpan.FromHours(hours), clock) });
        Assert.Equal(steps == 5, run.Run(CancellationToken.None));
        Assert.Equal((steps, steps < 5), (trainer.CompletedSteps, run.IsOutOfTime));
        Assert.Equal(steps, Assert.Single(CheckpointFolder.List(directory)).Step);

        using Trainer again = Engine.Trainer(Options(maxSteps: 5), device);
        TrainingRun resumed = Run(again, new Batches(), new Observer(), new RunOptions { Directory = directory, MaxSteps = 5 });
        resumed.Resume();
        Assert.Empty(resumed.Changes);
        Assert.True(resumed.Run(CancellationToken.None));
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            byte[] Of(string name) => File.ReadAllBytes(Path.Combine(name, CheckpointFolder.NameOf(5), file));
            Assert.Equal(Of(folder.File("whole")), Of(directory));
        }
    }

    [Fact]
    public void Who_is_asked_to_stop_when_the_time_is_over_was_stopped()
    {
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 5), device);
        using var stop = new CancellationTokenSource();
        var options = new RunOptions { Directory = folder.Path, MaxSteps = 5, Time = new SessionTime(TimeSpan.FromTicks(1)) };
        TrainingRun run = Run(trainer, new Batches(), new Observer { Step = stop.Cancel }, options);
        Assert.False(run.Run(stop.Token));
        Assert.Equal((1, false), (trainer.CompletedSteps, run.IsOutOfTime));
    }

    [Theory]
    [InlineData(true, 4)]
    [InlineData(false, 0)]
    [InlineData(null, 4)]
    public void Each_step_is_followed_by_a_pause_while_others_are_at_work(bool? others, int pauses)
    {
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 4), device);
        int steps = 0;
        var waits = new List<(int Step, TimeSpan Time)>();
        var pause = new DevicePause(() => others, (time, _) => waits.Add((steps, time)));
        TrainingRun run = Run(trainer, new Batches(), new Observer { Step = () => steps++ }, new RunOptions { Directory = folder.Path, MaxSteps = 4, Pause = pause });
        Assert.True(run.Run(CancellationToken.None));
        Assert.Equal(Enumerable.Range(1, pauses), waits.Select(wait => wait.Step));
        Assert.All(waits, wait => Assert.True(wait.Time > TimeSpan.Zero));
        Assert.Equal(waits.Aggregate(TimeSpan.Zero, (sum, wait) => sum + wait.Time), pause.Total);
    }

    [Fact]
    public void What_a_failed_save_left_is_gone_also_after_a_session_that_has_nothing_to_save()
    {
        Train(Options(maxSteps: 2), new Batches());
        Directory.CreateDirectory(folder.File("step-000001.partial"));
        File.WriteAllText(folder.File("step-000001.partial.lock"), "x");
        using Trainer trainer = Engine.Trainer(Options(maxSteps: 2), device);
        TrainingRun run = Run(trainer, new Batches(), new Observer(), maxSteps: 2);
        run.Resume();
        Assert.True(run.Run(CancellationToken.None));
        Assert.Equal(["metrics.jsonl", "step-000002"], folder.Names);
    }

    [Fact]
    public void A_pause_ends_when_the_run_is_stopped()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();

        // A pause of days that nobody ended would end this test.
        new DevicePause(() => true).After(TimeSpan.FromDays(20), stop.Token);
    }

    private void Spoil(Trainer trainer, bool now, float value)
    {
        if (now)
        {
            device.Upload(BitConverter.GetBytes(value), FirstOf(trainer.Layout.Weights.FinalNorm.Values));
        }
    }

    private static TrainingRun Run(Trainer trainer, Batches batches, Observer observer, RunOptions options) =>
        new(options, trainer, batches, options.EvaluateEvery > 0 ? batches : null, "tokenizer", observer);

    private static TrainingOptions Options(int maxSteps, ScheduleKind kind = ScheduleKind.Cosine) =>
        Engine.Options(Engine.TinyModel(), new StepShape(1, 4, 1)) with { Schedule = new LearningRateSchedule(kind, 0.01, maxSteps) };

    private static Tensor FirstOf(Tensor tensor) => tensor.ElementRange(0, 1);

    private void Train(TrainingOptions options, Batches batches, int saveEvery = 0)
    {
        using Trainer trainer = Engine.Trainer(options, device);
        Assert.True(Run(trainer, batches, new Observer(), options.Schedule.TotalSteps, saveEvery).Run(CancellationToken.None));
    }

    private TrainingRun Run(Trainer trainer, Batches batches, Observer observer, int maxSteps = 3, int saveEvery = 0, int evaluateEvery = 0)
    {
        var options = new RunOptions { Directory = folder.Path, MaxSteps = maxSteps, SaveEvery = saveEvery, EvaluateEvery = evaluateEvery };
        return new TrainingRun(options, trainer, batches, evaluateEvery > 0 ? batches : null, "tokenizer", observer);
    }

    /// <summary>Stands still until it is moved.</summary>
    private sealed class HandClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    /// <summary>The same few tokens always.</summary>
    private sealed class Batches(string fingerprint = "a", int tokens = 100) : IBatchSource, IValidationBatches
    {
        public long DataTokens => tokens;

        public string DataFingerprint => fingerprint;

        public DataPosition Position { get; set; }

        public int BatchSize => 1;

        public int SequenceLength => 4;

        public long Count => 1;

        public int Reads { get; private set; }

        public void Skip(int sequences)
        {
        }

        public void ReadNext(Span<int> tokens, Span<int> labels)
        {
            Reads++;
            Read(0, tokens, labels);
        }

        public void Read(long index, Span<int> tokens, Span<int> labels)
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                (tokens[i], labels[i]) = (i, i + 1);
            }
        }
    }

    private sealed class Observer : IRunObserver
    {
        public Action? Step { get; init; }

        public List<string> Warnings { get; } = [];

        public void OnStep(in StepResult result, double tokensPerSecond) => Step?.Invoke();

        public void OnValidation(int completedSteps, double loss)
        {
        }

        public void OnSaved(string checkpoint)
        {
        }

        public void OnWarning(string message) => Warnings.Add(message);
    }
}
