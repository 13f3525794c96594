using QApollo.Collectives;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Training;

/// <summary>
/// One update, layer-major over the micro-batches: forward keeps only layer inputs; backward recomputes a layer for
/// every micro-batch, adds up its gradients, and releases them into the optimizer before the next layer begins.
/// </summary>
public sealed class TrainingStep
{
    // Numbers of the segments of a step (IDevice.BeginSegment); each layer's backward pass has one from the last on.
    private const int ForwardSegment = 0;
    private const int LossSegment = 1;
    private const int HeadUpdateSegment = 2;
    private const int BackwardSegment = 3;

    private readonly StepShape _shape;
    private readonly ModelWeights _weights;
    private readonly StepInputs _inputs;
    private readonly StepStatistics _statistics;
    private readonly BoundaryStore _boundaries;
    private readonly DecoderLayer _layer;
    private readonly LayerExpansions _expansions;
    private readonly GradientScratch[] _layerGradients;
    private readonly VocabularyGradients _vocabularyGradients;
    private readonly LanguageModelHead _head;
    private readonly GradientRelease _release;
    private readonly PlannedTensor _logSumExp;
    private readonly int _gradientBoundary;
    private readonly ulong _seed;

    internal TrainingStep(TensorTable table, TrainingOptions options, DeviceProfile profile, ModelWeights weights, StepInputs inputs,
        StepStatistics statistics, DecoderLayer layer, LanguageModelHead head, GradientRelease release, int vocabularySlice)
    {
        (_weights, _inputs, _statistics, _layer, _head, _release) = (weights, inputs, statistics, layer, head, release);
        _shape = options.Shape;
        _vocabularyGradients = new VocabularyGradients(table, weights, options.Memory.GradientDType, vocabularySlice);

        // Where gradients wait while the next layer is computed, that one has scratch of its own.
        string[] scratch = release.ReachesOverLayers ? ["gradient", "gradient.next"] : ["gradient"];
        _layerGradients = [.. scratch.Select(name => new GradientScratch(table, name, weights.Layers[0].All, options.Memory.GradientDType, release))];
        _expansions = new LayerExpansions(table, weights, profile, isEnabled: options.Memory.ExpandWeights && _shape.GradAccum > 1);
        _logSumExp = table.Transient("head.log_sum_exp", DType.F32, 1, _shape.TokensPerStep, TensorCategory.Logits);

        // A sliced head reads the last layer's output once more after its gradient exists; otherwise they share a boundary.
        int layers = weights.Layers.Length;
        _gradientBoundary = _vocabularyGradients.HeadIsSliced ? layers + 1 : layers;
        _boundaries = BoundaryStore.Create(table, options, profile, _gradientBoundary + 1);
        _seed = options.Seed;
    }

    /// <summary>Whether the parts in which gradients are released are segments: not where the host carries these to other ranks.</summary>
    internal bool SegmentsReleases { get; set; } = true;

    /// <summary>With whom losses and gradients are summed.</summary>
    internal ICommunicator Ranks { get; set; } = Alone.Instance;

    /// <summary>Told where the parts of the step begin, while it is rehearsed.</summary>
    internal PhaseLog? Phases { get; set; }

    /// <summary>Forward, loss, backward and all updates of one step, for the inputs that are loaded.</summary>
    /// <param name="update">Its number: 1, 2, ...</param>
    /// <param name="skips">
    /// Asked once, between the loss of all micro-batches and the first update, with the step's mean loss; true ends the step there.
    /// The device is waited for. Null: every step is an update.
    /// </param>
    /// <returns>False when the step was skipped.</returns>
    public bool Run(IDevice device, uint update, Func<double, bool>? skips = null)
    {
        Phases?.Begin("embedding forward");
        _statistics.Zero(device);
        _boundaries.Begin(device, new BoundaryRounding(_seed, update, (long)Ranks.Rank * _shape.TokensPerStep));
        _weights.Store.BeginPass(device);
        ForwardEmbedding(device, _shape.GradAccum);
        device.BeginSegment(ForwardSegment);
        for (int layer = 0; layer < _weights.Layers.Length; layer++)
        {
            Phases?.Begin("forward", layer);
            ForwardLayer(device, layer, layer, layer + 1, _shape.GradAccum);
        }

        device.EndSegment();
        Phases?.Begin("loss and head");
        device.BeginSegment(LossSegment);
        Loss(device);
        device.EndSegment();
        if (skips is not null && skips(ReadLoss(device)))
        {
            _weights.Store.EndPass(device);
            return false;
        }

        BeginReleases(device, HeadUpdateSegment);
        UpdateHead(device);
        EndReleases(device);
        for (int layer = _weights.Layers.Length - 1; layer >= 0; layer--)
        {
            // One for each layer: the device computes the one before while the host goes through the next.
            Phases?.Begin("backward", layer);
            BeginReleases(device, BackwardSegment + layer);
            BackwardLayer(device, layer);
            EndReleases(device);
        }

        Phases?.Begin("embedding backward");
        _weights.Store.Advance(device, part: 0, parts: 1);
        BackwardEmbedding(device);
        _weights.Store.EndPass(device);
        return true;
    }

    /// <summary>Forward and loss of the first micro-batch that is loaded; two boundaries serve all layers in turn.</summary>
    public void Evaluate(IDevice device)
    {
        _statistics.Zero(device);
        _boundaries.Begin(device);
        _weights.Store.BeginPass(device);
        ForwardEmbedding(device, microBatches: 1);
        for (int layer = 0; layer < _weights.Layers.Length; layer++)
        {
            ForwardLayer(device, layer, layer % 2, (layer + 1) % 2, microBatches: 1);
        }

        _weights.Store.EndPass(device);
        Tensor hidden = _boundaries.Read(device, _weights.Layers.Length % 2, 0);
        _head.Loss(device, hidden, _inputs.Labels(0), _logSumExp.View.ElementRange(0, _shape.TokensPerMicroBatch), _statistics.LossSum);
    }

    private void BeginReleases(IDevice device, int segment)
    {
        if (SegmentsReleases)
        {
            device.BeginSegment(segment);
        }
    }

    private void EndReleases(IDevice device)
    {
        if (SegmentsReleases)
        {
            device.EndSegment();
        }
    }

    private void ForwardEmbedding(IDevice device, int microBatches)
    {
        for (int microBatch = 0; microBatch < microBatches; microBatch++)
        {
            device.EmbeddingForward(_weights.Embedding.Stored, _inputs.Tokens(microBatch), _boundaries.BeginWrite(device, 0, microBatch));
            _boundaries.EndWrite(device, 0, microBatch);
        }
    }

    private void ForwardLayer(IDevice device, int layer, int inputBoundary, int outputBoundary, int microBatches)
    {
        LayerWeights weights = _weights.Layers[layer];
        _weights.Store.Use(device, layer, direction: 1);
        _expansions.ExpandForForward(device, weights);
        for (int microBatch = 0; microBatch < microBatches; microBatch++)
        {
            _weights.Store.Advance(device, microBatch, microBatches);
            Tensor input = _boundaries.Read(device, inputBoundary, microBatch);
            if (microBatch + 1 < microBatches)
            {
                _boundaries.Prefetch(device, inputBoundary, microBatch + 1);
            }

            Tensor output = _boundaries.BeginWrite(device, outputBoundary, microBatch);
            _layer.Forward(device, weights, input, output, _inputs.DocumentStarts(microBatch));
            _boundaries.EndWrite(device, outputBoundary, microBatch);
        }
    }

    /// <summary>Over all counted tokens of the step, in nats.</summary>
    private double ReadLoss(IDevice device)
    {
        _statistics.Read(device);
        Span<double> lossSum = [_statistics.LossSumValue];
        Ranks.SumInOrder(lossSum);
        return lossSum[0] / Math.Max(1, _inputs.CountedLabels);
    }

    /// <summary>Loss and gradients of all micro-batches at the model's end; no weight changes yet.</summary>
    private void Loss(IDevice device)
    {
        int output = _weights.Layers.Length;
        for (int microBatch = 0; microBatch < _shape.GradAccum; microBatch++)
        {
            Tensor hidden = _boundaries.Read(device, output, microBatch);
            Tensor gradient = _gradientBoundary == output ? hidden : _boundaries.BeginWrite(device, _gradientBoundary, microBatch);
            _head.LossAndGradient(
                device, hidden, _inputs.Labels(microBatch), LogSumExp(microBatch), _statistics.LossSum, gradient, GradientScale,
                _vocabularyGradients.WholeHead, _vocabularyGradients.FinalNorm, accumulate: microBatch > 0);
            _boundaries.EndWrite(device, _gradientBoundary, microBatch);
        }
    }

    private void UpdateHead(IDevice device)
    {
        if (_vocabularyGradients.HeadIsSliced)
        {
            ReleaseHeadInSlices(device, GradientScale);
        }
        else if (!_vocabularyGradients.IsTied)
        {
            _release.Release(device, _weights.Head, _vocabularyGradients.WholeHead);
        }

        _release.Release(device, _weights.FinalNorm, _vocabularyGradients.FinalNorm);
        _release.EndVocabulary(device);
    }

    /// <summary>Of the mean over the counted tokens.</summary>
    private float GradientScale => 1f / Math.Max(1, _inputs.CountedLabels);

    private void ReleaseHeadInSlices(IDevice device, float scale)
    {
        for (int firstRow = 0; firstRow < _weights.Head.Parameter.Rows; firstRow += _vocabularyGradients.SliceRows)
        {
            Tensor slice = _vocabularyGradients.HeadSlice(firstRow);
            for (int microBatch = 0; microBatch < _shape.GradAccum; microBatch++)
            {
                Tensor hidden = _boundaries.Read(device, _weights.Layers.Length, microBatch);
                _boundaries.Prefetch(device, _weights.Layers.Length, microBatch + 1);
                _head.AddSliceGradient(
                    device, hidden, _inputs.Labels(microBatch), LogSumExp(microBatch), scale, firstRow, slice, accumulate: microBatch > 0);
            }

            _release.Release(device, _weights.Head, slice, firstRow);
        }
    }

    private void BackwardLayer(IDevice device, int layer)
    {
        LayerWeights weights = _weights.Layers[layer];
        GradientScratch gradients = _layerGradients[layer % _layerGradients.Length];
        _weights.Store.Use(device, layer, direction: -1);
        _expansions.ExpandForBackward(device, weights);
        for (int microBatch = 0; microBatch < _shape.GradAccum; microBatch++)
        {
            _weights.Store.Advance(device, microBatch, _shape.GradAccum);
            Tensor input = _boundaries.ReadKept(device, layer, microBatch);
            Tensor gradient = _boundaries.Read(device, _gradientBoundary, microBatch);
            _boundaries.PrefetchKept(device, layer, microBatch + 1);
            _boundaries.Prefetch(device, _gradientBoundary, microBatch + 1);
            gradients.BeginMicroBatch(first: microBatch == 0, last: microBatch + 1 == _shape.GradAccum);
            _layer.Backward(device, weights, input, gradient, gradients, _inputs.DocumentStarts(microBatch));
            _boundaries.EndWrite(device, _gradientBoundary, microBatch);
        }

        _release.EndLayer(device);
        _weights.Store.Changed(layer);
    }

    private void BackwardEmbedding(IDevice device)
    {
        int rows = _weights.Embedding.Parameter.Rows;
        for (int firstRow = 0; firstRow < rows; firstRow += _vocabularyGradients.SliceRows)
        {
            Tensor slice = _vocabularyGradients.EmbeddingSlice(firstRow);
            if (!_vocabularyGradients.IsTied)
            {
                device.Zero(slice);
            }

            for (int microBatch = 0; microBatch < _shape.GradAccum; microBatch++)
            {
                Tensor gradient = _boundaries.Read(device, _gradientBoundary, microBatch);
                _boundaries.Prefetch(device, _gradientBoundary, microBatch + 1);
                device.EmbeddingBackward(gradient, _inputs.Index(microBatch, firstRow, slice.Rows), firstRow, slice);
            }

            _release.Release(device, _weights.Embedding, slice, firstRow);
        }

        _release.EndVocabulary(device);
    }

    private Tensor LogSumExp(int microBatch) =>
        _logSumExp.View.ElementRange((long)microBatch * _shape.TokensPerMicroBatch, _shape.TokensPerMicroBatch);
}
