using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using QApollo.Files;
using QApollo.Models;

namespace QApollo.Quality;

/// <summary>`qapollo-quality study`: trains every setting over many seeds, and goes on where it was stopped.</summary>
internal static class StudyCommand
{
    private static readonly Option<int> Seeds = new("--seeds") { Description = "Runs of each setting.", DefaultValueFactory = _ => 12 };
    private static readonly Option<int?> FirstSeed = new("--first-seed") { Description = "The seeds count from here; from 1 unless given, with --tune from --tuning-seed." };
    private static readonly Option<string> Only = new("--only") { Description = "The setting of that name, or those whose names contain it." };
    private static readonly Option<bool> Tune = new("--tune") { Description = "Learning rates of the optimizers instead, at seeds that no setting is reported with." };
    private static readonly Option<string> TunedOn = new("--tuned-on") { Description = "The preset whose tuned learning rates are taken; the same model unless given." };
    private static readonly Option<int?> TunedSteps = new("--tuned-steps") { Description = "Updates of the runs that tuned; as many as --steps unless given." };
    private static readonly Option<int> TuningSeed = new("--tuning-seed") { Description = "Seeds from here on were used for tuning.", DefaultValueFactory = _ => 101 };
    private static readonly Option<string> Results = new("--results") { Description = "A line for each finished run.", DefaultValueFactory = _ => "tools/quality/results/study.jsonl" };
    private static readonly Option<long> ValidTokens = new("--valid-tokens") { Description = "Held-out tokens of each validation.", DefaultValueFactory = _ => 65_536 };
    private static readonly Option<int> BatchSize = new("--batch-size") { Description = "Sequences of a step.", DefaultValueFactory = _ => StudyRun.DefaultBatchSize };
    private static readonly Option<int> SequenceLength = new("--seq-len") { Description = "Tokens of a sequence.", DefaultValueFactory = _ => StudyRun.DefaultSequenceLength };
    private static readonly Option<string> Tokenizer = new("--tokenizer") { Description = "What --tokenizer of `qapollo train` takes.", DefaultValueFactory = _ => "bytes" };
    private static readonly Option<int> Threads = new("--threads") { Description = "Of the CPU device.", DefaultValueFactory = _ => 1 };

    /// <summary>As `qapollo train` has it.</summary>
    private const int MostThreads = 1024;

    public static Command Create()
    {
        var command = new Command("study", "Train every setting over many seeds; goes on where it was stopped.")
        {
            SharedOptions.Data, SharedOptions.Model, SharedOptions.Steps, Seeds, FirstSeed, Only, Tune, TunedOn, TunedSteps, TuningSeed, Results, Tokenizer, BatchSize, SequenceLength, ValidTokens, Threads,
        };
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
        var study = new StudyOptions(
            parsed.GetValue(SharedOptions.Model)!, model, SharedOptions.AtLeast(parsed, SharedOptions.Steps, 1), SharedOptions.AtLeast(parsed, BatchSize, 1),
            SharedOptions.AtLeast(parsed, SequenceLength, 2), SharedOptions.AtLeast(parsed, ValidTokens, 1), SharedOptions.AtLeast(parsed, Threads, 1));
        if (study.Threads > MostThreads)
        {
            throw new UsageException($"--threads: {study.Threads} is too large; it takes {MostThreads} or fewer");
        }

        (int first, int end) = SeedRange(parsed);
        StudyOptions tuned = parsed.GetValue(TunedOn) is { } other ? study with { ModelName = other, Model = SharedOptions.PresetOf(TunedOn, other) } : study;
        tuned = tuned with { Steps = parsed.GetValue(TunedSteps) is null ? study.Steps : SharedOptions.AtLeast(parsed, TunedSteps, 1) };
        string path = parsed.GetValue(Results)!;
        ResultsFile.RequireWritable(path);
        string? filter = parsed.GetValue(Only);
        Setting[] all = [.. Settings(parsed.GetValue(Tune))];
        Setting[] settings = [.. all.Where(setting => setting.Name == filter)];
        if (settings.Length == 0)
        {
            settings = [.. all.Where(setting => filter is null || setting.Name.Contains(filter, StringComparison.OrdinalIgnoreCase))];
        }

        if (settings.Length == 0)
        {
            throw new UsageException($"--only: no setting's name contains '{filter}'; there are {string.Join("; ", all.Select(setting => setting.Name).Distinct())}");
        }

        using var data = StudyData.Open(parsed.GetValue(SharedOptions.Data) ?? [], parsed.GetValue(Tokenizer)!);
        if (data.VocabularySize > model.VocabSize)
        {
            throw new UsageException($"--tokenizer: {parsed.GetValue(Tokenizer)} has {data.VocabularySize} ids, and the model {study.ModelName} has rows for {model.VocabSize}; name a smaller tokenizer");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        if (!parsed.GetValue(Tune))
        {
            StudyResult[] tuning = [.. ResultsFile.Read(path).Where(result => result.IsOf(tuned, data.Fingerprint) && result.Seed >= parsed.GetValue(TuningSeed))];
            foreach (Setting setting in settings.Where(setting => setting.WithTunedRate(tuning) is null))
            {
                Console.WriteLine($"{setting.Name}: left out until --tune has tried all rates of {setting.TunedAs}");
            }

            settings = [.. settings.Select(setting => setting.WithTunedRate(tuning)).OfType<Setting>()];
        }

        // Seed by seed: whatever time allows is a table of equal numbers of runs.
        for (int seed = first; seed < end; seed++)
        {
            foreach (Setting setting in settings)
            {
                TrainOnce(path, study, setting, data, seed);
            }
        }
    }

    /// <summary>Unless it is done, or another study that fills the same file is at it.</summary>
    private static void TrainOnce(string path, StudyOptions study, Setting setting, StudyData data, int seed)
    {
        string run = string.Create(CultureInfo.InvariantCulture, $"{setting.Name}, {setting.LearningRate}, seed {seed}");
        if (IsDone())
        {
            return;
        }

        using FileLock? claim = FileLock.TryTake($"{path}.{study.NameOf(data.Fingerprint, setting, seed)}.lock");
        if (claim is null)
        {
            Console.WriteLine($"{run}: another study is at it");
            return;
        }

        using var ended = new SignalAction(claim.Dispose);

        // Once more: whoever had it may have finished just before.
        if (IsDone())
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        StudyResult result = StudyRun.Train(study, setting, data, seed);
        ResultsFile.Append(path, result);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run}: {result.Loss:F4} in {Stopwatch.GetElapsedTime(start).TotalSeconds:F0} s"));

        bool IsDone() => ResultsFile.Read(path).Exists(result => result.IsRunOf(study, data.Fingerprint, setting, seed));
    }

    /// <summary>Seeds of tuning and of what is reported must not meet: rates would be chosen by the runs that they are judged by.</summary>
    private static (int First, int End) SeedRange(ParseResult parsed)
    {
        int tuningSeed = SharedOptions.AtLeast(parsed, TuningSeed, 1);
        bool isTuning = parsed.GetValue(Tune);
        int first = parsed.GetValue(FirstSeed) is null ? (isTuning ? tuningSeed : 1) : SharedOptions.AtLeast(parsed, FirstSeed, 1);
        long last = (long)first + SharedOptions.AtLeast(parsed, Seeds, 1) - 1;
        if (isTuning ? first < tuningSeed : last >= tuningSeed)
        {
            throw new UsageException(isTuning
                ? $"--first-seed: {first} is no seed for tuning; those begin at {tuningSeed} (--tuning-seed)"
                : $"--seeds: seeds {first} to {last} reach those of tuning, which begin at {tuningSeed} (--tuning-seed); end below");
        }

        return last < int.MaxValue ? (first, (int)last + 1) : throw new UsageException($"--seeds: seed {last} is too large; the last may be {int.MaxValue - 1}");
    }

    private static IEnumerable<Setting> Settings(bool tune) => tune
        ? Setting.Tuning.SelectMany(tuned => tuned.Rates.Select(rate => new Setting(tuned.Optimizer, rate, tuned.Apply)))
        : Setting.All;
}
