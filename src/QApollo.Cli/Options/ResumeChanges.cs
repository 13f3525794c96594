using QApollo.Optimizers;
using D = QApollo.Cli.Options.DataOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>Options that are given beside --resume and differ from those of the run.</summary>
internal static class ResumeChanges
{
    /// <summary>Compared by what they hold when the checkpoint is loaded: a copy in another place is no change.</summary>
    private static readonly OptionSpec[] ComparedByContent = [D.Tokenizer, T.OutputDir, D.CacheDir, T.Seed];

    /// <param name="given">Of the command line and --config.</param>
    /// <param name="run">Of the run's run.json; null where it cannot be read.</param>
    /// <param name="errors">Receives what cannot be changed.</param>
    /// <returns>"--lr 0.01 -> 0.02", one for each option; a model of another shape is refused when the checkpoint is loaded.</returns>
    public static IReadOnlyList<string> Find(OptionValues given, OptionValues? run, ICollection<string> errors)
    {
        var changes = new List<string>();
        if (run is null)
        {
            return changes;
        }

        foreach (OptionSpec spec in given.Specs.Where(spec => !spec.IsTransient && given.IsExplicit(spec)).Except(ComparedByContent))
        {
            string now = given.Shown(spec);
            string before = run.Shown(spec);
            if (now == before || (spec == T.HeadOptimizer && HeadOptimizer(given, run) == HeadOptimizer(run, run)))
            {
                continue;
            }

            if (spec == T.Model)
            {
                changes.Add($"{spec.Name} {before} -> {now}, of the same shape: the weights are those of the checkpoint");
            }
            else if (T.FixedOnResume.Contains(spec))
            {
                errors.Add(
                    $"{spec.Name}: the run has {before}, not {now}, and a resumed run keeps it: leave the option out, or begin another run from its weights (--model {given.Get(T.OutputDir)})");
            }
            else
            {
                changes.Add($"{spec.Name} {before} -> {now}");
            }
        }

        return changes;
    }

    /// <summary>What embedding and head are updated by: the default depends on the optimizer of the run.</summary>
    private static OptimizerKind HeadOptimizer(OptionValues values, OptionValues run) => new OptimizerOptions
    {
        Kind = run.Get(T.Optimizer),
        EmbeddingAndHead = values.IsGiven(T.HeadOptimizer) ? values.Get(T.HeadOptimizer) : null,
    }.EmbeddingAndHeadKind;
}
