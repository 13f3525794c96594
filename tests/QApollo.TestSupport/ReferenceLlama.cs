using QApollo.Models;
using static QApollo.TestSupport.ReferenceOperators;

namespace QApollo.TestSupport;

/// <summary>What one pass of <see cref="ReferenceLlama"/> gives.</summary>
/// <param name="Logits">[batch, seq, vocabulary].</param>
/// <param name="Loss">Sum of the cross-entropies over the labels that count, divided by the divisor.</param>
/// <param name="Counted">Labels that count: those that are not -100.</param>
/// <param name="Gradients">Of the loss, by Hugging Face name; a tied head adds to the embedding's.</param>
public sealed record ReferencePass(double[] Logits, double Loss, int Counted, IReadOnlyDictionary<string, double[]> Gradients);

/// <summary>
/// LLaMA and the models of its shape (<see cref="ModelArchitecture"/>) in binary64 with an explicit backward pass: the oracle of the
/// engine's model. Small models only.
/// </summary>
/// <param name="weights">By Hugging Face name, [out, in] row-major; without lm_head.weight for a tied model.</param>
public sealed class ReferenceLlama(LlamaConfig config, IReadOnlyDictionary<string, double[]> weights)
{
    public const long IgnoredLabel = -100;

    private const string Embedding = "model.embed_tokens.weight";
    private const string FinalNorm = "model.norm.weight";

    private string Head => config.TieWordEmbeddings ? Embedding : "lm_head.weight";

    /// <summary>Forward and backward.</summary>
    /// <param name="inputIds">[batch, seq], whole sequences one after another.</param>
    /// <param name="labels">Target of each position, already shifted; -100 is ignored.</param>
    /// <param name="divisor">What the summed loss is divided by; the number of labels that count if null.</param>
    public ReferencePass Run(ReadOnlySpan<long> inputIds, ReadOnlySpan<long> labels, int sequence, double? divisor = null)
    {
        Dictionary<string, double[]> gradients = weights.ToDictionary(pair => pair.Key, pair => new double[pair.Value.Length]);
        ReferenceLlamaLayer[] layers =
            [.. Enumerable.Range(0, config.NumHiddenLayers).Select(layer => new ReferenceLlamaLayer(config, layer, sequence, weights, gradients))];

        double[] x = Embed(inputIds);
        foreach (ReferenceLlamaLayer layer in layers)
        {
            x = layer.Forward(x);
        }

        double[] normed = RmsNorm(x, weights[FinalNorm], config.RmsNormEps);
        double[] logits = Linear(normed, weights[Head], config.HiddenSize);
        var (loss, counted, dLogits) = CrossEntropy(logits, labels, divisor);

        double[] dNormed = new double[normed.Length];
        LinearBackward(normed, weights[Head], dLogits, config.HiddenSize, dNormed, gradients[Head]);
        double[] dx = new double[x.Length];
        RmsNormBackward(x, weights[FinalNorm], config.RmsNormEps, dNormed, dx, gradients[FinalNorm]);
        foreach (ReferenceLlamaLayer layer in layers.Reverse())
        {
            dx = layer.Backward(dx);
        }

        EmbedBackward(inputIds, dx, gradients[Embedding]);
        return new ReferencePass(logits, loss, counted, gradients);
    }

    private double[] Embed(ReadOnlySpan<long> inputIds)
    {
        double[] x = new double[inputIds.Length * config.HiddenSize];
        for (int t = 0; t < inputIds.Length; t++)
        {
            Row(weights[Embedding], (int)inputIds[t]).CopyTo(Row(x, t));
        }

        return x;
    }

    private void EmbedBackward(ReadOnlySpan<long> inputIds, double[] dx, double[] gradient)
    {
        for (int t = 0; t < inputIds.Length; t++)
        {
            AddScaled(Row(gradient, (int)inputIds[t]), 1, Row(dx, t));
        }
    }

    /// <summary>-log softmax(logits)[label]; its derivative is softmax(logits) - onehot(label).</summary>
    private (double Loss, int Counted, double[] DLogits) CrossEntropy(double[] logits, ReadOnlySpan<long> labels, double? divisor)
    {
        int vocabulary = config.VocabSize;
        int counted = labels.Length - labels.Count(IgnoredLabel);
        double weight = 1 / (divisor ?? Math.Max(counted, 1));
        double loss = 0;
        double[] dLogits = [.. logits];
        for (int t = 0; t < labels.Length; t++)
        {
            Span<double> row = dLogits.AsSpan(t * vocabulary, vocabulary);
            if (labels[t] == IgnoredLabel)
            {
                row.Clear();
                continue;
            }

            int label = (int)labels[t];
            Softmax(row);
            loss -= Math.Log(row[label]) * weight;
            row[label] -= 1;
            foreach (ref double value in row)
            {
                value *= weight;
            }
        }

        return (loss, counted, dLogits);
    }

    private Span<double> Row(double[] matrix, int row) => matrix.AsSpan(row * config.HiddenSize, config.HiddenSize);
}
