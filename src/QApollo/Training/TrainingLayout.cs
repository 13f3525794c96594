using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Inference;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;

namespace QApollo.Training;

/// <summary>
/// All tensors of a training run, the step that works on them, and the memory plan that follows. Needs no device and
/// no memory: `qapollo plan` makes one for a 7B on any machine.
/// </summary>
public sealed class TrainingLayout
{
    private readonly ExchangeMemory? _exchange;

    /// <param name="projections">Where APOLLO's projections come from; by default the run's seed.</param>
    /// <param name="hooks">See every released gradient.</param>
    /// <exception cref="UsageException">The options contradict each other or the model.</exception>
    /// <exception cref="OverflowException">The sizes of model and step multiply to more than can be counted.</exception>
    public TrainingLayout(
        TrainingOptions options, DeviceProfile profile, IProjectionSource? projections = null, IReadOnlyList<IReleaseHook>? hooks = null)
    {
        options.Shape.Validate();
        options.Memory.Weights.Validate(options.Model);
        Options = options with { SampleTokens = Math.Min(options.SampleTokens, options.Shape.SequenceLength) };
        StepShape shape = options.Shape;
        LlamaConfig model = options.Model;
        model.RequireWithinWindow(shape.SequenceLength);
        var table = new TensorTable();
        var attention = new AttentionShape(
            shape.BatchSize, shape.SequenceLength, shape.SequenceLength, model.NumAttentionHeads, model.NumKeyValueHeads, model.HeadDim);

        Weights = new ModelWeights(table, model, options.Memory.Weights, options.Memory.Layers);
        Optimizers = OptimizerFactory.Create(table, Weights, options.Optimizer, projections ?? new SeededProjections(options.Seed));
        Statistics = new StepStatistics(table, Weights.All.Length);
        Inputs = new StepInputs(table, shape, options.DocumentEnd);
        Rotary = new RotaryTable(table, model, Math.Max(shape.SequenceLength, CachedModel.CapacityFor(Options.SampleTokens)));
        GradientOverlap overlap = Overlap();
        Release = new GradientRelease(Optimizers, Statistics, options.Quantization, options.Seed, hooks ?? [])
        {
            Depth = overlap switch { GradientOverlap.Off => 0, GradientOverlap.Matrix => 1, _ => Weights.Layers[0].All.Length },
            ReachesOverLayers = overlap == GradientOverlap.Layer,
            Decays = DecayHistory.Of(options.Optimizer),
        };
        WeightStaging = new WeightStaging(table, Weights);
        var layer = new DecoderLayer(model, new LayerActivations(table, model, profile, attention), Rotary);
        var head = new LanguageModelHead(table, model, Weights, profile, shape.TokensPerMicroBatch, options.Memory.LogitChunk);
        Step = new TrainingStep(table, options, profile, Weights, Inputs, Statistics, layer, head, Release, VocabularySlice());
        long WorkspaceBytes(in AttentionShape shape) =>
            profile.WorkspaceBytes(new WorkspaceRequest(shape, Math.Max(model.HiddenSize, model.HeadDim), Math.Max(model.IntermediateSize, model.VocabSize)));
        long workspaceBytes = WorkspaceBytes(attention);
        if (Options.SampleTokens > 0)
        {
            Sampling = new CachedModel(table, model, Weights, profile, Rotary, Options.SampleTokens);
            workspaceBytes = Math.Max(workspaceBytes, WorkspaceBytes(Sampling.LargestAttention));
        }

        _exchange = options.Ranks > 1 ? new ExchangeMemory(table, options.Ranks, options.Memory) : null;
        Workspace = table.Scratch("workspace", workspaceBytes, TensorCategory.Workspace, persistent: true);
        Plan = MemoryPlan.Make(table, profile, Rehearse);
        Release.CallsHooks = true;
    }

    public TrainingOptions Options { get; }

    /// <summary>With whom the gradients are summed.</summary>
    public ICommunicator Ranks { get; private set; } = Alone.Instance;

    public ModelWeights Weights { get; }

    /// <summary>One per weight, in their order.</summary>
    public ParameterOptimizer[] Optimizers { get; }

    public StepStatistics Statistics { get; }

    public StepInputs Inputs { get; }

    public RotaryTable Rotary { get; }

    public GradientRelease Release { get; }

    public WeightStaging WeightStaging { get; }

    public TrainingStep Step { get; }

    /// <summary>Generates text with the weights in training; null when no samples are planned.</summary>
    public CachedModel? Sampling { get; }

    /// <summary>Scratch memory of the device's operations; null when it needs none.</summary>
    public PlannedTensor? Workspace { get; }

    public MemoryPlan Plan { get; }

    /// <summary>Says with whom the run trains, once the plan's memory is there.</summary>
    internal void JoinRanks(ICommunicator ranks, IDevice device)
    {
        Ranks = ranks;
        if (ranks.Size > 1)
        {
            Step.Ranks = ranks;
            Step.SegmentsReleases = false;
            Release.OverRanks = new GradientSum(ranks, device, _exchange!.Buffers, Options.Memory.WireDType, Release.Depth);
        }
    }

    /// <summary>Waits for what is still summed; the plan's memory may go then.</summary>
    internal void LeaveRanks()
    {
        Release.OverRanks?.Dispose();
        Release.OverRanks = null;
    }

    /// <summary>Brings initial weights and tables to the device.</summary>
    public void Initialize(IDevice device, CancellationToken stop = default)
    {
        Rotary.Upload(device);
        WeightStaging.Initialize(device, Options.Model, Options.Seed, stop);
    }

    /// <summary>One update on one step's tokens; waits for it and reads <see cref="Statistics"/>.</summary>
    /// <param name="update">Its number: 1, 2, ...</param>
    /// <param name="skips">See <see cref="TrainingStep.Run"/>.</param>
    /// <returns>False when the step was skipped.</returns>
    public bool RunStep(
        IDevice device, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels, int update, float learningRate, Func<double, bool>? skips = null)
    {
        Inputs.Load(device, tokens, labels);
        Inputs.CountOver(Ranks);
        Release.BeginStep((uint)update, learningRate);
        bool isUpdated = Step.Run(device, (uint)update, skips);
        Statistics.Read(device);
        return isUpdated;
    }

    /// <summary>The loss of one micro-batch, without a gradient; waits for it and reads <see cref="Statistics"/>.</summary>
    public void RunEvaluation(IDevice device, ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels)
    {
        Inputs.LoadForEvaluation(device, tokens, labels);
        Step.Evaluate(device);
        Statistics.Read(device);
    }

    /// <summary>Lets an observer see the operations of one step, of which nothing is computed. Not beside a step.</summary>
    public void Trace(IOperationObserver observer)
    {
        bool callsHooks = Release.CallsHooks;
        Release.CallsHooks = false;
        using var device = new TracingDevice(Plan.Profile, observer);
        var tokens = new int[Options.Shape.TokensPerStep];
        RunStep(device, tokens, tokens, update: 1, learningRate: 0);
        Release.CallsHooks = callsHooks;
    }

    /// <summary>Everything that a run does to its tensors.</summary>
    private void Rehearse(IDevice device, PhaseLog phases)
    {
        var tokens = new int[Options.Shape.TokensPerStep];
        phases.Begin("initialization");
        Initialize(device);
        Step.Phases = phases;
        RunStep(device, tokens, tokens, update: 1, learningRate: 0);
        Step.Phases = null;
        phases.Begin("evaluation");
        RunEvaluation(device, tokens.AsSpan(0, Options.Shape.TokensPerMicroBatch), tokens.AsSpan(0, Options.Shape.TokensPerMicroBatch));
        if (Sampling is not null)
        {
            phases.Begin("sampling");
            Sampling.Rehearse(device);
        }
    }

    /// <summary>Tokens whose logits exist at a time, under these options.</summary>
    internal static int ChunkTokens(TrainingOptions options, DeviceProfile profile) =>
        LanguageModelHead.ChunkTokens(options.Model, profile, options.Shape.TokensPerMicroBatch, options.Memory.LogitChunk);

    private GradientOverlap Overlap()
    {
        MemoryOptions memory = Options.Memory;
        return Options.Ranks == 1 ? GradientOverlap.Off
            : memory.Overlap == GradientOverlap.Layer && memory.Layers.Space != MemorySpace.Device ? GradientOverlap.Matrix
            : memory.Overlap;
    }

    private int VocabularySlice()
    {
        int vocabulary = Options.Model.VocabSize;
        int slice = Options.Memory.VocabularySlice;
        if (slice <= 0 || slice >= vocabulary || Weights.Head == Weights.Embedding)
        {
            return vocabulary;
        }

        (int embedding, int head) = (Optimizers[Weights.Embedding.Parameter.Index].SliceRows, Optimizers[Weights.Head.Parameter.Index].SliceRows);
        int multiple = Math.Max(embedding, head);
        if (embedding == 0 || head == 0)
        {
            throw new UsageException("--vocabulary-slice needs adamw, adamw8bit or sgd for embedding and head");
        }

        return Math.Min(vocabulary, (slice + multiple - 1) / multiple * multiple);
    }
}
