using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;

namespace QApollo.Training;

/// <summary>
/// Trains a LLaMA on a device: one allocation, then steps that allocate nothing. Not thread-safe.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly IDevice _device;
    private readonly Arena _arena;
    private readonly ScratchFile? _layerFile;
    private readonly long _matrixElements;

    /// <summary>Plans, allocates, and initializes the weights from the seed.</summary>
    /// <param name="device">Stays the caller's; must outlive the trainer.</param>
    /// <param name="projections">Where APOLLO's projections come from; by default the run's seed.</param>
    /// <param name="hooks">See every released gradient.</param>
    /// <param name="ranks">With whom to train; stays the caller's. Null for nobody.</param>
    /// <exception cref="UsageException">The options contradict each other or the model.</exception>
    /// <exception cref="OutOfMemoryException">The device has less memory than the plan needs.</exception>
    public Trainer(
        TrainingOptions options, IDevice device, IProjectionSource? projections = null, IReadOnlyList<IReleaseHook>? hooks = null,
        ICommunicator? ranks = null)
        : this(new TrainingLayout(options with { Ranks = ranks?.Size ?? 1 }, device.Profile, projections, hooks), device, ranks: ranks)
    {
    }

    /// <summary>As the other constructor, with a layout that was made before.</summary>
    /// <param name="layerFile">The file of layers that wait on disk; by default one in the system's folder for temporary files.</param>
    /// <param name="stop">Ends the making of initial weights, which takes minutes for the largest models.</param>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    /// <exception cref="ArgumentException">The layout is planned for another number of ranks.</exception>
    /// <exception cref="RunFailedException">The disk has not the space for the layers, or something has the name of their file.</exception>
    public Trainer(TrainingLayout layout, IDevice device, string? layerFile = null, ICommunicator? ranks = null, CancellationToken stop = default)
    {
        Ranks = ranks ?? Alone.Instance;
        if (layout.Options.Ranks != Ranks.Size)
        {
            throw new ArgumentException($"planned for {layout.Options.Ranks} ranks, and there are {Ranks.Size}", nameof(ranks));
        }

        _device = device;
        Layout = layout;
        _arena = new Arena(device, layout.Plan);
        try
        {
            if (layout.Plan.DiskBytes > 0)
            {
                _layerFile = layerFile is null ? ScratchFile.Temporary(layout.Plan.DiskBytes) : new ScratchFile(layerFile, layout.Plan.DiskBytes);
                layout.Weights.Store.Attach(_layerFile);
            }

            if (layout.Workspace is not null)
            {
                device.UseWorkspace(layout.Workspace);
            }

            layout.JoinRanks(Ranks, device);
            device.ChooseProducts(layout.Plan.Products, layout.Options.Shape.GradAccum, _arena.DeviceBytes);
            layout.Initialize(device, stop);
        }
        catch
        {
            // The file of the layers is gone only once it is closed.
            Dispose();
            throw;
        }

        foreach (Weight weight in layout.Weights.All)
        {
            _matrixElements += weight.Parameter.IsMatrix ? weight.Parameter.Elements : 0;
        }
    }

    public TrainingLayout Layout { get; }

    public MemoryPlan Plan => Layout.Plan;

    public IDevice Device => _device;

    /// <summary>With whom the gradients are summed.</summary>
    public ICommunicator Ranks { get; }

    /// <summary>Bytes of the device allocation that was made.</summary>
    public long AllocatedBytes => _arena.DeviceBytes.Bytes;

    /// <summary>Updates done so far; set it when a checkpoint is loaded.</summary>
    public int CompletedSteps { get; set; }

    /// <summary>Adam's decays in the updates so far; set it when a checkpoint is loaded.</summary>
    public DecayHistory Decays
    {
        get => Layout.Release.Decays;
        set => Layout.Release.Decays = value;
    }

    /// <summary>
    /// Parameters that the first update with a learning rate above zero left exactly as they were: none of their
    /// stored values moved. Empty in a healthy run; null before that update.
    /// </summary>
    public IReadOnlyList<Parameter>? UnmovedParameters { get; private set; }

    /// <summary>Forward, backward and update for one step's tokens.</summary>
    /// <param name="tokens">[GradAccum * BatchSize * SequenceLength], of this rank.</param>
    /// <param name="labels">The target of each position; negative ones are ignored.</param>
    /// <param name="skips">
    /// Asked with the mean loss in nats, which may be infinite or NaN, before a byte of weights or optimizer state changes; true ends the
    /// step there. Its number is used up all the same, so learning rate, rounding and projections of later steps are what they would be.
    /// </param>
    /// <exception cref="RunFailedException">Loss or a gradient of a step that is not skipped is not finite; the message names step and tensor.</exception>
    public StepResult Step(ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels, Func<double, bool>? skips = null)
    {
        int step = CompletedSteps + 1;
        float learningRate = Layout.Options.Schedule.At(CompletedSteps);
        bool isUpdated = Layout.RunStep(_device, tokens, labels, step, learningRate, skips);
        Span<double> lossSum = [Layout.Statistics.LossSumValue];
        Ranks.SumInOrder(lossSum);
        double gradientNorm = isUpdated ? CheckFinite(step, lossSum[0]) : double.NaN;
        CompletedSteps = step;
        return new StepResult(
            step, lossSum[0] / Math.Max(1, Layout.Inputs.CountedLabels), learningRate, Layout.Inputs.CountedLabels, gradientNorm,
            isUpdated ? ChangedShare(learningRate) : 0)
        {
            IsSkipped = !isUpdated,
        };
    }

    /// <summary>How the storage of a layer's matrices treated the last step's updates. Ask before anything else is computed.</summary>
    /// <param name="layer">0, 1, ...</param>
    public LayerHealth Health(int layer) => LayerHealth.Of(Layout.Weights.Layers[layer], Layout.Statistics);

    /// <summary>Sum of the losses of one micro-batch of this rank, without a gradient.</summary>
    /// <param name="tokens">[BatchSize * SequenceLength].</param>
    /// <returns>Sum over the counted labels in nats, and their number.</returns>
    public (double LossSum, int Counted) Evaluate(ReadOnlySpan<int> tokens, ReadOnlySpan<int> labels)
    {
        Layout.RunEvaluation(_device, tokens, labels);
        return (Layout.Statistics.LossSumValue, Layout.Inputs.CountedLabels);
    }

    public void Dispose()
    {
        Layout.LeaveRanks();
        _layerFile?.Dispose();
        _arena.Dispose();
    }

    /// <summary>Loss and gradients are sums over the ranks: what one of them spoilt, all of them see.</summary>
    private double CheckFinite(int step, double lossSum)
    {
        if (!double.IsFinite(lossSum))
        {
            throw new RunFailedException($"step {step}: the loss is {lossSum}; a lower --lr or more --warmup-steps may help") { OnAllRanks = true };
        }

        double squares = 0;
        ReadOnlySpan<float> perParameter = Layout.Statistics.GradientSquaresValues;
        for (int i = 0; i < perParameter.Length; i++)
        {
            if (!float.IsFinite(perParameter[i]))
            {
                throw new RunFailedException(
                    $"step {step}: the gradient of {Layout.Weights.All[i].Parameter.Name} is not finite; a lower --lr or more --warmup-steps may help")
                { OnAllRanks = true };
            }

            squares += perParameter[i];
        }

        return Math.Sqrt(squares);
    }

    private double ChangedShare(float learningRate)
    {
        long matrixChanges = 0;
        for (int i = 0; i < Layout.Weights.All.Length; i++)
        {
            matrixChanges += Layout.Weights.All[i].Parameter.IsMatrix ? Layout.Statistics.CountValue(i, UpdateCount.Changed) : 0;
        }

        if (UnmovedParameters is null && learningRate > 0)
        {
            UnmovedParameters = FindUnmoved();
        }

        return matrixChanges / (double)_matrixElements;
    }

    private List<Parameter> FindUnmoved()
    {
        var unmoved = new List<Parameter>();
        for (int i = 0; i < Layout.Weights.All.Length; i++)
        {
            if (Layout.Statistics.CountValue(i, UpdateCount.Changed) == 0)
            {
                unmoved.Add(Layout.Weights.All[i].Parameter);
            }
        }

        return unmoved;
    }
}
