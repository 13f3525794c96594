using System.Text.Json.Nodes;
using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>Saves a trainer's whole state, and restores it byte for byte.</summary>
public static class Checkpoint
{
    /// <summary>Writes step-NNNNNN into the run's folder.</summary>
    /// <returns>The checkpoint's path.</returns>
    /// <exception cref="RunFailedException">The disk is full, read-only, or fails; earlier checkpoints are untouched.</exception>
    /// <param name="modelFiles">What else makes the folder a model for other programs, such as its tokenizer.</param>
    public static string Save(Trainer trainer, RunState state, string runDirectory, IReadOnlyList<InterchangeFile>? modelFiles = null) =>
        CheckpointFolder.Write(runDirectory, state.Step, folder =>
        {
            LlamaConfig model = trainer.Layout.Options.Model;
            WeightFormats formats = trainer.Layout.Options.Memory.Weights;
            TrainedWeightsFile.Write(folder, trainer.Device, trainer.Layout.Weights, model, formats);
            TensorFile.Write(
                Path.Combine(folder, CheckpointFolder.OptimizerFile), OptimizerTensors(trainer.Layout).Select(tensor => FileTensor.Of(trainer.Device, trainer.Layout.Weights.Store, tensor)),
                TrainedWeightsFile.Metadata(formats.GroupSize, formats.ZeroPoints));
            JsonObject config = HuggingFaceConfigJson.Config(model, StoredDType(formats), TrainedWeightsFile.Quantization(model, formats));
            PendingFile.WriteAll(Path.Combine(folder, CheckpointFolder.ConfigFile), HuggingFaceConfigJson.ToUtf8(config));
            PendingFile.WriteAll(Path.Combine(folder, ExportFolders.GenerationFile), HuggingFaceConfigJson.ToUtf8(HuggingFaceConfigJson.Generation(model)));
            foreach (InterchangeFile file in modelFiles ?? [])
            {
                PendingFile.WriteAll(Path.Combine(folder, file.Name), file.Content.Span);
            }

            PendingFile.WriteAll(Path.Combine(folder, CheckpointFolder.StateFile), (state with { Decays = trainer.Decays }).ToUtf8());
        });

    /// <summary>Restores weights, optimizer state and step count after all checksums were compared.</summary>
    /// <param name="checkpoint">A folder that <see cref="CheckpointFolder.List"/> names.</param>
    /// <exception cref="InvalidFileException">A file is damaged.</exception>
    /// <exception cref="UsageException">The checkpoint is of another model, weight format or optimizer; the message names the difference.</exception>
    public static RunState Load(Trainer trainer, string checkpoint, IProgress<StageProgress>? progress = null)
    {
        CheckpointFolder.Verify(checkpoint, progress);
        RequireSameModel(checkpoint, trainer.Layout.Options.Model);
        RunState state = RunState.Read(Path.Combine(checkpoint, CheckpointFolder.StateFile));
        try
        {
            using (var model = ModelFolder.OfVerified(checkpoint, progress))
            {
                model.Restore(trainer.Device, trainer.Layout.Weights);
            }

            TensorFile.Read(Path.Combine(checkpoint, CheckpointFolder.OptimizerFile), trainer.Device, trainer.Layout.Weights.Store, OptimizerTensors(trainer.Layout), progress);
        }
        catch (InvalidFileException exception)
        {
            // The checksums are right, so these are the tensors of other options.
            throw new UsageException($"{exception.Message}: resume with the weight formats and optimizers of the run that was saved", exception);
        }

        trainer.CompletedSteps = state.Step;
        trainer.Decays = state.Decays?.Continue(trainer.Layout.Options.Optimizer, state.Step) ?? DecayHistory.Of(trainer.Layout.Options.Optimizer);
        return state;
    }

    /// <summary>
    /// Says, for people, where the residual bits of a checkpoint are not those of a run: missing ones start from zero, others
    /// are left behind; the codes are the same either way. Null where nothing differs.
    /// </summary>
    public static string? ResidualChange(string checkpoint, TrainingLayout layout)
    {
        using var model = ModelFolder.OfVerified(checkpoint);
        int missing = 0;
        int left = 0;
        foreach (Weight weight in layout.Weights.All)
        {
            bool isStored = model.HasResiduals(weight.Parameter);
            missing += weight.Residuals is not null && !isStored ? 1 : 0;
            left += weight.Residuals is null && isStored ? 1 : 0;
        }

        return (missing, left) switch
        {
            (0, 0) => null,
            (_, 0) => $"{missing} matrices have no residual bits in the checkpoint: theirs start from zero",
            (0, _) => $"the residual bits of {left} matrices of the checkpoint are left behind: their codes go on alone",
            _ => $"residual bits: {missing} matrices start from zero, those of {left} in the checkpoint are left behind",
        };
    }

    /// <summary>What a checkpoint takes on disk, less a few kilobytes for names and a tokenizer.</summary>
    public static long Bytes(TrainingLayout layout) => StateTensors(layout).Sum(tensor => tensor.Bytes);

    /// <summary>Everything that a step changes, and that replicas must have in common.</summary>
    internal static IEnumerable<PlannedTensor> StateTensors(TrainingLayout layout) =>
        layout.Weights.All.SelectMany(weight => new[] { weight.Values, weight.Scales, weight.ZeroPoints, weight.Residuals }).OfType<PlannedTensor>()
            .Concat(OptimizerTensors(layout));

    /// <summary>Hugging Face's name of the type that holds every weight exactly; INT8 groups are scaled by BF16.</summary>
    private static string StoredDType(WeightFormats formats) =>
        formats.Matrices == WeightFormat.F32 || formats.EmbeddingAndHead == WeightFormat.F32 ? "float32" : "bfloat16";

    private static List<PlannedTensor> OptimizerTensors(TrainingLayout layout) =>
        [.. layout.Optimizers.SelectMany(optimizer => optimizer.State)];

    private static void RequireSameModel(string checkpoint, LlamaConfig model)
    {
        string path = Path.Combine(checkpoint, CheckpointFolder.ConfigFile);
        LlamaConfig saved = LlamaConfigJson.Read(path);
        (string Name, object? Saved, object? Wanted)[] shapes =
        [
            ("model_type", saved.Architecture, model.Architecture),
            ("hidden_size", saved.HiddenSize, model.HiddenSize),
            ("intermediate_size", saved.IntermediateSize, model.IntermediateSize),
            ("num_hidden_layers", saved.NumHiddenLayers, model.NumHiddenLayers),
            ("num_attention_heads", saved.NumAttentionHeads, model.NumAttentionHeads),
            ("num_key_value_heads", saved.NumKeyValueHeads, model.NumKeyValueHeads),
            ("head_dim", saved.HeadDim, model.HeadDim),
            ("vocab_size", saved.VocabSize, model.VocabSize),
            ("attention_bias", saved.QueryKeyValueBias, model.QueryKeyValueBias),
            ("mlp_bias", saved.MlpBias, model.MlpBias),
            ("rms_norm_eps", saved.RmsNormEps, model.RmsNormEps),
            ("rope_theta", saved.RopeTheta, model.RopeTheta),
            ("rope_scaling", saved.RopeScaling, model.RopeScaling),
        ];
        foreach ((string name, object? savedValue, object? wanted) in shapes)
        {
            if (!Equals(savedValue, wanted))
            {
                throw new UsageException($"{checkpoint}: {name} is {savedValue}, the model given has {wanted}: resume with the model that was saved");
            }
        }

        if (saved.TieWordEmbeddings != model.TieWordEmbeddings)
        {
            throw new UsageException($"{checkpoint}: tie_word_embeddings differs from the model given: resume with the model that was saved");
        }
    }
}
