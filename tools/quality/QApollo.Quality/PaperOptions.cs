using QApollo.Cli.Options;
using QApollo.Data.Tokenizers;
using D = QApollo.Cli.Options.DataOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Quality;

/// <summary>Options of `qapollo train`, read as it reads them: which of them make another training than a row's, or than that of a run.</summary>
internal static class PaperOptions
{
    /// <summary>Where and how a run is done, and what is told of it: not what is trained.</summary>
    private static readonly HashSet<OptionSpec> s_circumstances =
    [
        D.CacheDir, D.CacheLimit, D.Threads, T.Boundaries, T.LayersIn, T.LayerSlots, T.LayerFile, T.ExpandWeights, T.LogitChunk, T.VocabularySlice, T.Budget, T.HostBudget,
        T.Device, T.LibTorch, T.Gemm, T.CublasLt, T.GemmProducts, T.NoCudaGraphs, T.Exchange, T.Overlap, T.OutputDir, T.EvalEvery, T.HealthEvery, T.CheckReplicas, T.TensorBoard,
        T.SaveEvery, T.SaveMinutes, T.Keep, T.KeepBest, T.SampleEvery, T.SamplePrompt, T.SampleTokens, T.Hours, T.Yield, T.Plain, T.Quiet, T.Resume, T.DryRun, T.Config,
    ];

    /// <summary>A run.json has what follows from other options in place of the default.</summary>
    private static readonly HashSet<OptionSpec> s_resolved = [T.WarmupSteps, T.VocabSize];

    private static IEnumerable<OptionSpec> Trained => T.All.Where(spec => !s_circumstances.Contains(spec));

    /// <exception cref="UsageException">`qapollo train` would refuse them: the first reason.</exception>
    public static OptionValues Read(IReadOnlyList<string> words)
    {
        var train = new System.CommandLine.Command("train") { TreatUnmatchedTokensAsErrors = false };
        var commandLine = new CommandLine(train, T.All);
        var root = new System.CommandLine.RootCommand();
        root.Subcommands.Add(train);
        List<string> errors = [];
        OptionValues values = commandLine.Read(Cli.Program.Parse(root, ["train", .. words]), errors);
        if (errors.Count == 0 && values.GetText(T.Config) is { } config)
        {
            RunFile.Merge(values, config, errors);
        }

        return errors.Count == 0 ? values : throw new UsageException(errors[0]);
    }

    /// <summary>Options that make another training than the paper's. Which text and tokenizer it has, its row does not say.</summary>
    /// <param name="paper">Those that the paper's row sets, each with its value.</param>
    public static IEnumerable<string> Differing(IReadOnlyList<string> paper, OptionValues asked)
    {
        // By themselves, without variables of the environment: those are no part of the paper's.
        var row = new OptionValues(T.All);
        foreach (string[] option in paper.Chunk(2))
        {
            OptionSpec spec = T.All.Single(spec => spec.Name == option[0]);
            row.Set(spec, spec.TryParse([option[1]], out object? value, out string error) ? value! : throw new UsageException(error));
        }

        return Trained.Except([D.Data, D.ValidData, D.Tokenizer]).Where(spec => row.Shown(spec) != asked.Shown(spec) && !IsSameBatch(spec, row, asked)).Select(spec => spec.Name);
    }

    /// <exception cref="UsageException">The run in that folder is another one.</exception>
    public static void RequireSame(OptionValues asked, string directory)
    {
        OptionValues run = RunFile.TryRead(directory) ?? throw new UsageException($"--output-dir: {directory} holds a run whose run.json cannot be read; name another folder");
        foreach (OptionSpec spec in Trained.Where(spec => asked.IsExplicit(spec) || !(s_resolved.Contains(spec) || run.IsGiven(T.Budget))))
        {
            if (run.Shown(spec) != asked.Shown(spec) && !IsSameBatch(spec, run, asked) && !IsSameTokenizer(spec, run, asked))
            {
                throw new UsageException($"{spec.Name}: the run in {directory} has {run.Shown(spec)}, not {asked.Shown(spec)}; go on with what that run has, or name another --output-dir");
            }
        }
    }

    /// <summary>An update is that of one large batch, whatever pieces it is computed in.</summary>
    private static bool IsSameBatch(OptionSpec spec, OptionValues one, OptionValues other) =>
        (spec == T.BatchSize || spec == T.GradAccum) && SequencesOf(one) == SequencesOf(other);

    private static long SequencesOf(OptionValues values) => (long)values.Get(T.BatchSize) * values.Get(T.GradAccum);

    /// <summary>A run has a copy of its own.</summary>
    private static bool IsSameTokenizer(OptionSpec spec, OptionValues run, OptionValues asked) =>
        spec == D.Tokenizer && FingerprintOf(run) == FingerprintOf(asked);

    private static string FingerprintOf(OptionValues values) => TokenizerLoader.Load(values.Get(D.Tokenizer), values.Get(D.SpecialTokens)).Fingerprint;
}
