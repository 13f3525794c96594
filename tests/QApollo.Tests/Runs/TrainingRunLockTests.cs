using QApollo.Batches;
using QApollo.Cpu;
using QApollo.Files;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Runs;

/// <summary>A run's folder belongs to one run, whether a command or a library's user starts it.</summary>
public class TrainingRunLockTests
{
    [Fact]
    public void A_folder_in_use_is_refused_unless_the_caller_holds_it_for_the_run()
    {
        using var folder = new TempFolder();
        TrainingOptions options = Engine.Options(Engine.TinyModel(), new StepShape(1, 5, 1));
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        var runOptions = new RunOptions { Directory = folder.Path, MaxSteps = 1 };
        using (FolderLock held = FolderLock.Take(folder.Path, RunOptions.Work))
        {
            Assert.Throws<RunFailedException>(() => Run(runOptions, trainer));
            Assert.Empty(Directory.GetDirectories(folder.Path));
            Assert.True(Run(runOptions with { Lock = held }, trainer));
        }

        Assert.True(Run(runOptions with { MaxSteps = 2 }, trainer));
        Assert.Equal(["metrics.jsonl", "step-000001", "step-000002"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    private static bool Run(RunOptions options, Trainer trainer) =>
        new TrainingRun(options, trainer, new Zeros(), null, "tokenizer", new Silent()).Run(CancellationToken.None);

    private sealed class Zeros : IBatchSource
    {
        public long DataTokens => 1;

        public string DataFingerprint => string.Empty;

        public DataPosition Position { get; set; }

        public void Skip(int sequences)
        {
        }

        public void ReadNext(Span<int> tokens, Span<int> labels)
        {
            tokens.Clear();
            labels.Clear();
        }
    }

    private sealed class Silent : IRunObserver
    {
        public void OnStep(in StepResult result, double tokensPerSecond)
        {
        }

        public void OnValidation(int completedSteps, double loss)
        {
        }

        public void OnSaved(string checkpoint)
        {
        }

        public void OnWarning(string message)
        {
        }
    }
}
