using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using QApollo.Batches;
using QApollo.Collectives;
using QApollo.Cpu;
using QApollo.Models;
using QApollo.Parallel;
using QApollo.Training;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>What the ranks of a run are, and must have in common to stay equal.</summary>
internal static class RankFacts
{
    /// <summary>Options that may be others on each rank: none of them changes what is computed.</summary>
    private static readonly OptionSpec[] OwnToEach = [T.OutputDir, T.LayerFile, T.GemmProducts, DataOptionTable.Threads, DataOptionTable.CacheDir, DataOptionTable.CacheLimit];

    /// <summary>Options that no run.json keeps, and that all ranks need all the same.</summary>
    private static readonly OptionSpec[] DecidesWhatIsDone = [T.Resume, T.DryRun];

    /// <exception cref="UsageException">A rank differs, or there are fewer sequences than ranks; thrown on all of them.</exception>
    public static void RequireSame(
        ICommunicator ranks, OptionValues values, TrainingOptions options, string device, ITokenizer tokenizer, IBatchSource batches)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        ranks.RequireSame(
        [
            ("the program", Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown"),
            .. DecidesWhatIsDone.Select(spec => (spec.Name, values.Shown(spec))),
            .. values.Specs.Where(spec => !spec.IsTransient && !OwnToEach.Contains(spec)).Select(spec => (spec.Name, values.Shown(spec))),
            ("a model of", string.Create(CultureInfo.InvariantCulture, $"{options.Model.ParameterCount:N0} parameters, configuration {Fingerprint(options.Model)}")),
            ("the tokenizer", tokenizer.Fingerprint),
            ("as data", string.Create(CultureInfo.InvariantCulture, $"{batches.DataTokens:N0} tokens {batches.DataFingerprint}")),
            ("the device", ComputesAs(device)),
        ]);
        long sequences = batches.DataTokens / options.Shape.SequenceLength;
        if (sequences < ranks.Size)
        {
            throw new UsageException(
                $"--data: {sequences} sequences of {options.Shape.SequenceLength} tokens are fewer than the {ranks.Size} ranks; take more text, a shorter --seq-len, or fewer ranks")
            { OnAllRanks = true };
        }
    }

    /// <summary>A line for several ranks; none for one.</summary>
    public static IEnumerable<string> Describe(RankGroup group, ICommunicator carrier, TrainingOptions options)
    {
        if (group.Ranks.Size > 1)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"ranks: {group.Ranks.Size} on {group.Hosts} machine{(group.Hosts == 1 ? string.Empty : "s")} by {carrier.Description}; {(long)group.Ranks.Size * options.Shape.TokensPerStep:N0} tokens per update");
        }
    }

    /// <summary>Of all that its config.json says: models of equal size may compute otherwise.</summary>
    private static string Fingerprint(LlamaConfig model) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(model.ToString())).AsSpan(0, 4));

    /// <summary>Without its number and threads: updates are rounded alike on equal cards, and by equal instructions.</summary>
    private static string ComputesAs(string device) => device.StartsWith("cpu", StringComparison.Ordinal)
        ? $"cpu with {CpuFeatures.Word(CpuFeatures.Level)}"
        : device[(device.IndexOf(',', StringComparison.Ordinal) + 1)..].Trim();
}
