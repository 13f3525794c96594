using System.Globalization;
using QApollo.Cuda;
using QApollo.Data;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Quantization;
using QApollo.Runs;
using QApollo.Training;
using D = QApollo.Cli.Options.DataOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The options of `qapollo train`.</summary>
internal static class TrainOptionTable
{
    /// <summary>Residual bits of INT8 matrices, unless told otherwise.</summary>
    public const int DefaultResidualBits = 0;

    private const string ModelGroup = "Model";
    private const string BatchGroup = "Batch and length";
    private const string OptimizerGroup = "Optimizer";
    private const string NumbersGroup = "Numbers and memory";
    private const string RunGroup = "Run";

    public static OptionSpec<string> Model { get; } = Spec.Path(
        "--model", ModelGroup, "What to train; a folder with weights is trained on.", "a preset, a config.json, or a model folder", "demo",
        isPath: text => LlamaPresets.TryFind(text) is null);

    public static OptionSpec<int> VocabSize { get; } = Spec.Int(
        "--vocab-size", ModelGroup, "Rows of a preset's embedding and head; 0 for as many as the tokenizer has ids, rounded up to a multiple of 64.", 0, 0, 1 << 22);

    public static OptionSpec<int> Layers { get; } = Size("--n-layer", "Layers");

    public static OptionSpec<int> Heads { get; } = Size("--n-head", "Attention heads");

    public static OptionSpec<int> KeyValueHeads { get; } = Size("--n-kv-head", "Key/value heads");

    public static OptionSpec<int> HiddenSize { get; } = Size("--hidden-size", "Features of the residual stream");

    public static OptionSpec<int> IntermediateSize { get; } = Size("--intermediate-size", "Features between the two halves of the MLP");

    public static OptionSpec<long> ValidTokens { get; } = Spec.Long(
        "--valid-tokens", D.Group, "Held-out tokens that a validation looks at, at most.", 65_536, 1);

    public static OptionSpec<SequenceMode> Packing { get; } = Spec.Choice(
        "--packing", D.Group, "Documents in a row; or so, but attention and positions within each (no loss on its first token); or as the papers score: one each, cut and padded.",
        SequenceMode.Packed, ("packed", SequenceMode.Packed), ("masked", SequenceMode.Masked), ("paper", SequenceMode.Paper));

    public static OptionSpec<int> BatchSize { get; } = Spec.Int("--batch-size", BatchGroup, "Sequences per micro-batch.", 8, 1);

    public static OptionSpec<int> SeqLen { get; } = Spec.Int("--seq-len", BatchGroup, "Tokens per sequence.", 256, 2, 1 << 20);

    public static OptionSpec<int> GradAccum { get; } = Spec.Int(
        "--grad-accum", BatchGroup, "Micro-batches per update; the update is exactly that of one large batch.", 1, 1);

    public static OptionSpec<int> MaxSteps { get; } = Spec.Int("--max-steps", BatchGroup, "Updates of the whole run, in as many sessions as it takes.", 400, 1);

    public static OptionSpec<OptimizerKind> Optimizer { get; } = Spec.Choice(
        "--optimizer", OptimizerGroup, "Update rule of the attention and MLP matrices.", OptimizerKind.ApolloMini, OptimizerWords);

    public static OptionSpec<OptimizerKind> HeadOptimizer { get; } = Spec.Choice(
        "--head-optimizer", OptimizerGroup, "Update rule of embedding and head.", (OptimizerKind)(-1),
        "adamw beside apollo-mini, apollo, sinkgd and racs, else that of --optimizer", OptimizerWords[4..]);

    public static OptionSpec<double> LearningRate { get; } = Spec.Real(
        "--lr", OptimizerGroup, "Peak learning rate.", double.NaN, 0, 1000, "the preset's, 0.01 for other models; a tenth of it with adamw, adamw8bit and scale, twice with sinkgd and racs; 0.0003 for weights that are trained on (adamw, adamw8bit, scale: 0.00005)");

    public static OptionSpec<ScheduleKind> Schedule { get; } = Spec.Choice(
        "--schedule", OptimizerGroup, "Learning rate after the warm-up.", ScheduleKind.Cosine,
        ("cosine", ScheduleKind.Cosine), ("linear", ScheduleKind.Linear), ("constant", ScheduleKind.Constant), ("wsd", ScheduleKind.WarmupStableDecay));

    public static OptionSpec<int> WarmupSteps { get; } = Spec.Int(
        "--warmup-steps", OptimizerGroup, "Updates of linear warm-up.", 0, 0, defaultNote: "a tenth of the run; at most 100 for weights that are trained on");

    public static OptionSpec<double> MinLrRatio { get; } = Spec.Real("--min-lr-ratio", OptimizerGroup, "Last learning rate, as a share of the peak.", 0.1, 0, 1);

    public static OptionSpec<double> DecayShare { get; } = Spec.Real("--decay-share", OptimizerGroup, "Share of the run that a wsd schedule decays in.", 0.2, 0.001, 1);

    public static OptionSpec<double> WeightDecay { get; } = Spec.Real("--weight-decay", OptimizerGroup, "Decoupled weight decay.", 0, 0, 100);

    public static OptionSpec<double> Beta1 { get; } = Spec.Real("--beta1", OptimizerGroup, "Decay of the first moment; of the averages of scale and racs.", 0.9, 0, 0.999999);

    public static OptionSpec<double> Beta2 { get; } = Spec.Real("--beta2", OptimizerGroup, "Decay of the second moment.", 0.999, 0, 0.999999);

    public static OptionSpec<long> Beta2Tokens { get; } = Spec.Long(
        "--beta2-tokens", OptimizerGroup, "Tokens after which the second moment has forgotten half, whatever the batch; 0 for --beta2.", 0, 0);

    public static OptionSpec<double> Epsilon { get; } = Spec.Real("--epsilon", OptimizerGroup, "Added to the root of the second moment.", 1e-6, 1e-12, 1);

    public static OptionSpec<int> Rank { get; } = Spec.Int("--rank", OptimizerGroup, "Rank of apollo's projection; apollo-mini's is 1.", 256, 1);

    public static OptionSpec<double> Scale { get; } = Spec.Real(
        "--scale", OptimizerGroup, "APOLLO's scale; its square root multiplies the update. A factor of the update of scale, sinkgd and racs.", double.NaN, 0, 1e6,
        "128 for apollo-mini, 1 for apollo and scale, 0.05 for sinkgd and racs");

    public static OptionSpec<int> NormalizationRounds { get; } = Spec.Int(
        "--normalization-rounds", OptimizerGroup, "Rounds of sinkgd's and racs's normalization, each of two passes over a gradient; the papers have 5.", 2, 1, 100);

    public static FlagSpec ScaleFront { get; } = Spec.Flag("--scale-front", OptimizerGroup, "Scale before the norm-growth limiter instead of after it.");

    public static FlagSpec NoLimiter { get; } = Spec.Flag("--no-limiter", OptimizerGroup, "Do not limit the growth of an update's norm.");

    public static OptionSpec<BiasCorrection> BiasCorrectionIn { get; } = Spec.Choice(
        "--bias-correction", OptimizerGroup, "Where Adam's bias correction acts.", BiasCorrection.StepSize,
        ("step-size", BiasCorrection.StepSize), ("direction", BiasCorrection.Direction));

    public static OptionSpec<int> UpdateProjGap { get; } = Spec.Int("--update-proj-gap", OptimizerGroup, "Updates between two random projections.", 200, 1);

    public static OptionSpec<WeightFormat> Weights { get; } = Spec.Choice(
        "--weights", NumbersGroup, "Storage of the attention and MLP matrices.", WeightFormat.Int8, FormatWords);

    public static OptionSpec<WeightFormat> HeadWeights { get; } = Spec.Choice(
        "--head-weights", NumbersGroup, "Storage of embedding and head.", WeightFormat.BF16, FormatWords);

    public static OptionSpec<int> GroupSize { get; } = new(
        "--group-size", NumbersGroup, "Weights that share a scale and a zero point.", "32, 64, 128 or 256", 128,
        text => (text is "32" or "64" or "128" or "256", int.TryParse(text, out int value) ? value : 0));

    public static OptionSpec<int> ResidualBits { get; } = new(
        "--residual-bits", NumbersGroup, "Low bits beside each INT8 code of a matrix, which only updates read and write.", "0, 4 or 8", DefaultResidualBits,
        text => (text is "0" or "4" or "8", int.TryParse(text, out int value) ? value : 0));

    public static OptionSpec<int> ResidualLayers { get; } = Spec.Int(
        "--residual-layers", NumbersGroup, "Layers that have residual bits, from the first on.", 0, 0, defaultNote: "all, or as many as a budget allows");

    public static OptionSpec<RoundingMode> Rounding { get; } = Spec.Choice(
        "--rounding", NumbersGroup, "How updated weights are rounded.", RoundingMode.LowDiscrepancy,
        ("low-discrepancy", RoundingMode.LowDiscrepancy), ("stochastic", RoundingMode.Stochastic), ("nearest", RoundingMode.Nearest));

    public static OptionSpec<RegridMode> Regrid { get; } = Spec.Choice(
        "--regrid", NumbersGroup, "When a group's scale is set anew.", RegridMode.WhenNeeded,
        ("when-needed", RegridMode.WhenNeeded), ("always", RegridMode.Always));

    public static OptionSpec<ZeroPointRule> ZeroPoints { get; } = Spec.Choice(
        "--zero-points", NumbersGroup, "Grids of INT8 groups; symmetric ones, zero at code 128, are exported to Q8_0 without loss.", ZeroPointRule.Asymmetric,
        ("asymmetric", ZeroPointRule.Asymmetric), ("symmetric", ZeroPointRule.Symmetric));

    public static OptionSpec<DType> GradDType { get; } = Spec.Choice(
        "--grad-dtype", NumbersGroup, "Element type of the gradient scratch.", DType.F32, ("f32", DType.F32), ("bf16", DType.BF16));

    public static OptionSpec<DType> WireDType { get; } = Spec.Choice(
        "--wire-dtype", NumbersGroup, "Element type that gradients of matrices travel in between ranks.", DType.F32, ("f32", DType.F32), ("bf16", DType.BF16));

    public static OptionSpec<GradientExchange> Exchange { get; } = Spec.Choice(
        "--exchange", NumbersGroup, "How gradients travel between ranks on GPUs: by NCCL where it is found, else through host memory; or by one of them.", GradientExchange.Auto,
        ("auto", GradientExchange.Auto), ("nccl", GradientExchange.Nccl), ("host", GradientExchange.Host));

    public static OptionSpec<GradientOverlap> Overlap { get; } = Spec.Choice(
        "--overlap", NumbersGroup, "How far the computation goes on while gradients are summed over the ranks: not at all, to the layer's next gradient, or through the next layer; the results are the same.",
        GradientOverlap.Layer, ("off", GradientOverlap.Off), ("matrix", GradientOverlap.Matrix), ("layer", GradientOverlap.Layer));

    public static OptionSpec<MemorySpace> Boundaries { get; } = Spec.Choice(
        "--boundaries", NumbersGroup, "Where layer inputs wait for the backward pass.", MemorySpace.Device,
        ("device", MemorySpace.Device), ("host", MemorySpace.PinnedHost));

    public static OptionSpec<BoundaryFormat> BoundaryDType { get; } = Spec.Choice(
        "--boundary-dtype", NumbersGroup, "Element type in which layer inputs wait for the backward pass; auto keeps them as they are computed, int8 rounds them, with a scale per token.",
        BoundaryFormat.Activations, ("auto", BoundaryFormat.Activations), ("f32", BoundaryFormat.F32), ("bf16", BoundaryFormat.BF16), ("int8", BoundaryFormat.Int8));

    public static OptionSpec<MemorySpace> LayersIn { get; } = Spec.Choice(
        "--layers", NumbersGroup, "Where the layers' matrices wait between their uses; disk is for a fast one, and slower than host.", MemorySpace.Device,
        ("device", MemorySpace.Device), ("host", MemorySpace.PinnedHost), ("disk", MemorySpace.Disk));

    public static OptionSpec<string> LayerFile { get; } = Spec.Path(
        "--layer-file", NumbersGroup, "The file of layers that wait on disk: a name that is free; nothing of it stays after the run.", "a path", null, "layers.tmp in the run's folder");

    public static OptionSpec<int> LayerSlots { get; } = Spec.Int(
        "--layer-slots", NumbersGroup, "Layers on the device at a time, where they wait elsewhere.", LayerPlacement.FewestSlots, LayerPlacement.FewestSlots, LayerPlacement.MostSlots);

    public static OptionSpec<bool> ExpandWeights { get; } = Spec.Switch(
        "--expand-weights", NumbersGroup, "Keep a layer's matrices dequantized for all micro-batches of its pass, where that is faster.", true);

    public static OptionSpec<int> LogitChunk { get; } = Spec.Int(
        "--logit-chunk", NumbersGroup, "Tokens whose logits exist at a time; 0 for at most 1024, or 64 MiB of logits.", 0, 0);

    public static OptionSpec<int> VocabularySlice { get; } = Spec.Int(
        "--vocabulary-slice", NumbersGroup, "Vocabulary rows whose gradient exists at a time; 0 for all.", 0, 0);

    public static OptionSpec<string> Budget { get; } = Spec.Text(
        "--budget", NumbersGroup, "Device memory that the run may take; what does not fit is chosen anew.", BudgetText.Allowed, null);

    public static OptionSpec<string> HostBudget { get; } = Spec.Text(
        "--host-budget", NumbersGroup, "Host memory that the run may take.", "a size such as 16GiB, or auto", null);

    public static OptionSpec<string> Device { get; } = Spec.Text(
        "--device", RunGroup, "Where to compute; auto takes the first GPU that can be used, else the CPU.", "auto, cpu, cuda (the first GPU), cuda:N (N counts from 0), torch, torch:cuda, torch:cuda:N", "auto");

    public static OptionSpec<string> LibTorch { get; } = Spec.Path(
        "--libtorch", RunGroup, "A folder of libtorch, or Python's torch folder, for --device torch.", "a path", null, "the one that the program was built with");

    public static OptionSpec<GemmChoice> Gemm { get; } = Spec.Choice(
        "--gemm", RunGroup, "Who multiplies matrices on a GPU; auto measures each product where cuBLASLt is found.", GemmChoice.Auto,
        ("auto", GemmChoice.Auto), ("own", GemmChoice.Own), ("cublaslt", GemmChoice.CublasLt));

    public static OptionSpec<string> CublasLt { get; } = Spec.Path(
        "--cublaslt", RunGroup, "The file of cuBLASLt.", "a path", null, "searched for in CUDA toolkits and Python packages");

    public static ListSpec GemmProducts { get; } = new(
        "--gemm-products", RunGroup, "What cuBLASLt multiplies under --gemm auto, as run.json has it of an earlier measurement.", "a list of products")
    {
        // The measurement may have found none.
        MayBeEmpty = true,
    };

    public static FlagSpec NoCudaGraphs { get; } = Spec.Flag(
        "--no-cuda-graphs", RunGroup, "Launch each kernel by itself on a GPU, for comparison; results are the same.");

    public static OptionSpec<long> Seed { get; } = Spec.Long("--seed", RunGroup, "Keys the initial weights, the data order and all random numbers.", 1, 0);

    public static OptionSpec<string> OutputDir { get; } = Spec.Folder(
        "--output-dir", RunGroup, "Folder of the run.", null, "checkpoints/<model>-<date>-<time>");

    public static OptionSpec<int> EvalEvery { get; } = Spec.Int("--eval-every", RunGroup, "Steps between validations; 0 for only the one at the end.", 100, 0);

    public static OptionSpec<int> SaveEvery { get; } = Spec.Int("--save-every", RunGroup, "Steps between checkpoints; 0 for only the one at the end.", 0, 0);

    public static OptionSpec<double> SaveMinutes { get; } = Spec.Real("--save-minutes", RunGroup, "Minutes between checkpoints; 0 for none.", 30, 0, 1e6);

    public static OptionSpec<int> Keep { get; } = Spec.Int("--keep", RunGroup, "Checkpoints to keep, the newest; 0 for all.", 2, 0);

    public static OptionSpec<int> CheckReplicas { get; } = Spec.Int(
        "--check-replicas", RunGroup, "With several ranks, steps between comparisons of all weights and states; before every save too.", 1000, 0);

    public static OptionSpec<int> HealthEvery { get; } = Spec.Int(
        "--health-every", RunGroup, "Steps between lines of quantization health in metrics.jsonl; 0 for none.", 10, 0);

    public static FlagSpec TensorBoard { get; } = Spec.Flag("--tensorboard", RunGroup, "Write event files for TensorBoard into the run's folder.");

    public static FlagSpec KeepBest { get; } = Spec.Flag("--keep-best", RunGroup, "Save after each validation that is the best so far, and keep that checkpoint too.");

    public static OptionSpec<int> Patience { get; } = Spec.Int(
        "--patience", RunGroup, "Validations in a row without a better one that end the run (early stopping); 0: none do.", 0, 0);

    public static OptionSpec<SpikeAction> OnSpike { get; } = Spec.Choice(
        "--on-spike", RunGroup, "After a loss that jumps or is far worse than a guess: say so; skip that step's update; go back to the newest checkpoint and on with later data; or stop.",
        SpikeAction.Warn, ("warn", SpikeAction.Warn), ("skip", SpikeAction.Skip), ("rewind", SpikeAction.Rewind), ("stop", SpikeAction.Stop));

    public static OptionSpec<int> SampleEvery { get; } = Spec.Int(
        "--sample-every", RunGroup, "Steps between text samples; 0 for only the one at the end.", 0, 0);

    public static OptionSpec<string> SamplePrompt { get; } = Spec.Text(
        "--sample-prompt", RunGroup, "What samples begin with.", "a text", null, "the beginning of a document");

    public static OptionSpec<int> SampleTokens { get; } = Spec.Int(
        "--sample-tokens", RunGroup, "Tokens of a sample, prompt included; a sequence at most; 0 for no samples.", 128, 0);

    public static OptionSpec<double> Hours { get; } = new(
        "--hours", RunGroup,
        "Hours of wall clock after which this session saves and ends as by Ctrl+C, before the step that would not fit; at least one is done. --max-steps, and the schedule with it, stay as they are.",
        "a number from 0.001 to 100000", double.NaN,
        text => (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double hours) && hours is >= 0.001 and <= 100_000, hours),
        hours => hours.ToString("R", CultureInfo.InvariantCulture))
    {
        DefaultNote = "as many as it needs",
        IsTransient = true,
    };

    public static FlagSpec Yield { get; } = Spec.Flag(
        "--yield", RunGroup,
        "Let others who use the machine go first: low priority on the processor, and while another process computes on the GPU, a pause after each step as long as the step. Results are the same.",
        transient: true);

    public static FlagSpec Plain { get; } = Spec.Flag("--plain", RunGroup, "Plain lines instead of the live view.", transient: true);

    public static FlagSpec Quiet { get; } = Spec.Flag("--quiet", RunGroup, "Only warnings and the last line; no samples.", transient: true);

    public static FlagSpec FromScratch { get; } = Spec.Flag(
        "--from-scratch", ModelGroup, "Initialize the weights even where --model names a folder that has some.");

    public static FlagSpec Resume { get; } = Spec.Flag("--resume", RunGroup, "Go on from the newest checkpoint of --output-dir, with its options.", transient: true);

    public static FlagSpec DryRun { get; } = Spec.Flag(
        "--dry-run", RunGroup, "Do everything up to the first step, and write nothing but prepared data: options, files, memory and device are as for the run.", transient: true);

    public static OptionSpec<string> Config { get; } = new(
        "--config", RunGroup, "Take options from a file like a run's run.json; the command line goes before it.", "a path", null,
        text => (text.Length > 0, text))
    {
        IsTransient = true,
    };

    /// <summary>In the order of the help.</summary>
    public static IReadOnlyList<OptionSpec> All { get; } =
    [
        Model, .. Shape, VocabSize, FromScratch, D.Data, D.WhenExhausted, D.ValidData, D.ValidShare, D.Tokenizer, D.SpecialTokens, D.TextField, D.Strict, D.CacheDir, D.CacheLimit, ValidTokens, Packing,
        BatchSize, SeqLen, GradAccum, MaxSteps,
        Optimizer, HeadOptimizer, LearningRate, Schedule, WarmupSteps, MinLrRatio, DecayShare, WeightDecay, Beta1, Beta2, Beta2Tokens, Epsilon,
        Rank, Scale, NormalizationRounds, ScaleFront, NoLimiter, BiasCorrectionIn, UpdateProjGap,
        Weights, HeadWeights, GroupSize, ZeroPoints, ResidualBits, ResidualLayers, Rounding, Regrid, GradDType, WireDType, Exchange, Overlap, Boundaries, BoundaryDType, LayersIn, LayerSlots, LayerFile, ExpandWeights,
        LogitChunk, VocabularySlice, Budget,
        HostBudget,
        Device, LibTorch, Gemm, CublasLt, GemmProducts, NoCudaGraphs, D.Threads, Seed, OutputDir, EvalEvery, HealthEvery, CheckReplicas, TensorBoard, SaveEvery, SaveMinutes, Keep, KeepBest,
        Patience, OnSpike, SampleEvery, SamplePrompt, SampleTokens,
        Hours, Yield, Plain, Quiet, Resume, DryRun, Config,
    ];

    /// <summary>What the saved weights, optimizer state and position in the data depend on.</summary>
    public static IReadOnlyList<OptionSpec> FixedOnResume { get; } =
        [FromScratch, .. Shape, VocabSize, Packing, SeqLen, Optimizer, HeadOptimizer, Rank, Weights, HeadWeights, GroupSize, ZeroPoints];

    /// <summary>What changes the shape of a preset.</summary>
    public static IReadOnlyList<OptionSpec<int>> Shape => [Layers, Heads, KeyValueHeads, HiddenSize, IntermediateSize];

    private static OptionSpec<int> Size(string name, string what) =>
        Spec.Int(name, ModelGroup, $"{what} of a preset.", 0, 1, LlamaConfig.MaxSize, "the preset's");

    private static (string Word, OptimizerKind Value)[] OptimizerWords =>
    [
        ("apollo-mini", OptimizerKind.ApolloMini), ("apollo", OptimizerKind.Apollo), ("sinkgd", OptimizerKind.SinkGd), ("racs", OptimizerKind.Racs),
        ("adamw", OptimizerKind.AdamW), ("adamw8bit", OptimizerKind.AdamW8Bit), ("scale", OptimizerKind.Scale), ("sgd", OptimizerKind.Sgd),
    ];

    private static (string Word, WeightFormat Value)[] FormatWords =>
        [("int8", WeightFormat.Int8), ("bf16", WeightFormat.BF16), ("f32", WeightFormat.F32)];
}
