using System.Globalization;
using System.Text;
using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>README.md of an exported folder: what the model is and how it was trained.</summary>
internal static class ModelCard
{
    /// <param name="dtype">As --dtype takes it.</param>
    public static string Create(ModelFolder model, string name, string dtype)
    {
        LlamaConfig config = model.Config;
        TrainingFacts facts = TrainingFacts.Of(model);
        var text = new StringBuilder();
        text.Append("---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- qapollo\n---\n\n");
        text.Append(CultureInfo.InvariantCulture, $"# {name}\n\n");
        text.Append(
            CultureInfo.InvariantCulture,
            $"A decoder of {config.ParameterCount:N0} parameters: {config.NumHiddenLayers} layers, hidden size {config.HiddenSize}, vocabulary {config.VocabSize}, sequences up to {config.MaxPositionEmbeddings} tokens. Weights in {dtype}.\n\n");
        text.Append("## Training\n\n");
        if (model.State is not { } state)
        {
            text.Append("Exported by Q-APOLLO from a model of another program; how it was trained is not known here.\n");
            return text.ToString();
        }

        text.Append(CultureInfo.InvariantCulture, $"Trained with Q-APOLLO, {state.Step:N0} steps, {state.Tokens:N0} tokens.\n\n");
        string[] lines =
        [
            facts.Data.Count > 0 ? $"- data: {string.Join(", ", facts.Data)}" : string.Empty,
            facts.Optimizer is not null ? $"- optimizer: {facts.Optimizer}" : string.Empty,
            facts.Loss is double loss ? string.Create(CultureInfo.InvariantCulture, $"- training loss of the last step: {loss:F4} nats per token") : string.Empty,
            facts.ValidationLoss is double valid ? string.Create(CultureInfo.InvariantCulture, $"- validation loss: {valid:F4} nats per token") : string.Empty,
            string.Create(CultureInfo.InvariantCulture, $"- seed: {state.Seed}"),
        ];
        return text.AppendJoin('\n', lines.Where(line => line.Length > 0)).Append('\n').ToString();
    }
}
