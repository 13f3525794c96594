using QApollo.Memory;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The options of `qapollo plan`, `qapollo profile` and `qapollo bench`: those of `train` that matter for memory, and the formats.</summary>
internal static class ReportOptionTable
{
    private const string FormatGroup = "Report";
    private const string RanksGroup = "Several cards";
    private const string PerSecond = "/s";
    private const string BytesPerSecond = "B/s";
    private const string BitsPerSecond = "bit/s";

    public static FlagSpec Json { get; } = Spec.Flag("--json", FormatGroup, "Print JSON.", transient: true);

    public static OptionSpec<string> Tokenizer { get; } = Spec.Text(
        "--tokenizer", DataOptionTable.Group, "Whose vocabulary a preset takes.", DataOptionTable.TokenizerRange, null, "none: the published one");

    public static OptionSpec<string> Html { get; } = Spec.Text("--html", FormatGroup, "Also write a page with charts.", "a path", null);

    public static OptionSpec<string> Markdown { get; } = Spec.Text("--markdown", FormatGroup, "Also write the report as Markdown.", "a path", null);

    public static OptionSpec<int> Steps { get; } = Spec.Int("--steps", FormatGroup, "Steps to measure the speed over.", 5, 1, 100_000);

    public static OptionSpec<string> Filter { get; } = Spec.Text(
        "--filter", FormatGroup, "Only operations whose name or shape contains it.", "a text", null);

    public static FlagSpec ProcessorTime { get; } = Spec.Flag(
        "--processor-time", FormatGroup, "Time operations by the processor's time instead of the clock: for one CPU thread on a machine that others use too.", transient: true);

    /// <summary>A plan is asked for to choose a GPU, mostly.</summary>
    public static OptionSpec<string> PlanDevice { get; } = Spec.Text(
        "--device", "Run", "What to plan for; it need not be here.", "cpu, cuda, cuda:N, torch, torch:cuda, or auto for the first GPU that is here, else the CPU", "cuda",
        "cuda; auto with --budget auto, which asks what is free here");

    public static OptionSpec<int> Ranks { get; } = Spec.Int("--ranks", RanksGroup, "Processes that train together, a card each.", 1, 1, 4096);

    /// <summary>In bytes per second, as text with its unit.</summary>
    public static OptionSpec<string> Link { get; } = new(
        "--link", RanksGroup, "What each rank can send while it receives as much; tells the time on the wire, and what is left of the speed from 1 to 64 ranks.",
        "a size per second such as 25GB/s, or its bits such as 200Gbit/s", null, text => (LinkBytes(text) is not null, text));

    public static IReadOnlyList<OptionSpec> Plan { get; } = [.. MemoryOn(PlanDevice), Ranks, Link, T.WireDType, T.Exchange, T.Overlap, Json, Html, OutputFile.Force];

    public static IReadOnlyList<OptionSpec> Profile { get; } = [.. MemoryOn(T.Device), T.LibTorch, T.CublasLt, T.NoCudaGraphs, T.Seed, Steps, Json, Html, Markdown, OutputFile.Force];

    public static IReadOnlyList<OptionSpec> Bench { get; } =
        [.. MemoryOn(T.Device), T.LibTorch, T.CublasLt, T.NoCudaGraphs, T.Rounding, T.Regrid, SimdChoice.Option, T.Seed, Steps, Filter, ProcessorTime, Json];

    /// <summary>Bytes per second; null where the text is no speed above 0. "25Gb/s" is none: networks mean bits by it, an eighth of what others would.</summary>
    public static double? LinkBytes(string text)
    {
        bool isInBits = text.EndsWith(BitsPerSecond, StringComparison.Ordinal);
        string size = isInBits ? text[..^BitsPerSecond.Length] + "B" : text.EndsWith(BytesPerSecond, StringComparison.Ordinal) ? text[..^PerSecond.Length] : string.Empty;
        return ByteSize.TryParse(size, out long amount) && amount > 0 ? amount / (isInBits ? 8.0 : 1.0) : null;
    }

    private static IReadOnlyList<OptionSpec> MemoryOn(OptionSpec<string> device) =>
    [
        T.Model, .. T.Shape, T.VocabSize, Tokenizer, T.Packing, T.BatchSize, T.SeqLen, T.GradAccum, T.Budget, T.HostBudget,
        T.Optimizer, T.HeadOptimizer, T.Rank, T.NormalizationRounds, T.Weights, T.HeadWeights, T.GroupSize, T.ZeroPoints, T.ResidualBits, T.ResidualLayers,
        T.GradDType, T.Boundaries, T.BoundaryDType, T.LayersIn, T.LayerSlots, T.ExpandWeights, T.LogitChunk, T.VocabularySlice, device, T.Gemm, DataOptionTable.Threads,
    ];
}
