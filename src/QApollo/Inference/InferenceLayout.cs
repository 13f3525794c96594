using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Inference;

/// <summary>What a model that is not trained is used for.</summary>
public sealed record InferenceOptions
{
    public required LlamaConfig Model { get; init; }

    /// <summary>How the weights are kept on the device.</summary>
    public required WeightFormats Weights { get; init; }

    /// <summary>Where the layers' matrices wait between their uses.</summary>
    public LayerPlacement Layers { get; init; } = LayerPlacement.OnDevice;

    /// <summary>Tokens of a generated sequence, prompt included; 0 when nothing is generated.</summary>
    public int GeneratedTokens { get; init; }

    /// <summary>Sequences of a scored micro-batch; 0 when nothing is scored.</summary>
    public int BatchSize { get; init; }

    /// <summary>Tokens of a scored sequence.</summary>
    public int SequenceLength { get; init; }

    /// <summary>The token that ends a document, for scoring with attention within documents; null for whole sequences.</summary>
    public int? DocumentEnd { get; init; }
}

/// <summary>All tensors of a model that is used without training, and the memory plan that follows. Needs no device.</summary>
public sealed class InferenceLayout
{
    public InferenceLayout(InferenceOptions options, DeviceProfile profile)
    {
        LlamaConfig model = options.Model;
        model.RequireWithinWindow(Math.Max(options.GeneratedTokens, options.SequenceLength));
        var table = new TensorTable();
        Options = options;
        Weights = new ModelWeights(table, model, options.Weights, options.Layers);
        WeightStaging = new WeightStaging(table, Weights);
        Rotary = new RotaryTable(table, model, Math.Max(CachedModel.CapacityFor(options.GeneratedTokens), options.SequenceLength));
        long workspaceBytes = 0;
        void NeedWorkspace(in AttentionShape attention) => workspaceBytes = Math.Max(
            workspaceBytes,
            profile.WorkspaceBytes(new WorkspaceRequest(attention, model.HiddenSize, Math.Max(model.IntermediateSize, model.VocabSize))));
        if (options.GeneratedTokens > 0)
        {
            Generation = new CachedModel(table, model, Weights, profile, Rotary, options.GeneratedTokens);
            NeedWorkspace(Generation.LargestAttention);
        }

        if (options.BatchSize > 0)
        {
            Scoring = new ScoringModel(table, model, Weights, profile, Rotary, options.BatchSize, options.SequenceLength, options.DocumentEnd);
            NeedWorkspace(Scoring.Attention);
        }

        Workspace = table.Scratch("workspace", workspaceBytes, TensorCategory.Workspace, persistent: true);
        Plan = MemoryPlan.Make(table, profile, Rehearse);
    }

    public InferenceOptions Options { get; }

    public ModelWeights Weights { get; }

    public WeightStaging WeightStaging { get; }

    public RotaryTable Rotary { get; }

    /// <summary>Null when nothing is generated.</summary>
    public CachedModel? Generation { get; }

    /// <summary>Null when nothing is scored.</summary>
    public ScoringModel? Scoring { get; }

    /// <summary>Scratch memory of the device's operations; null when it needs none.</summary>
    public PlannedTensor? Workspace { get; }

    public MemoryPlan Plan { get; }

    private void Rehearse(IDevice device)
    {
        Rotary.Upload(device);
        foreach (Weight weight in Weights.All)
        {
            WeightStaging.Load(device, weight, (_, _) => { });
        }

        Generation?.Rehearse(device);
        if (Scoring is not null)
        {
            var tokens = new int[Options.BatchSize * Options.SequenceLength];
            Scoring.LossSum(device, tokens, tokens);
        }
    }
}
