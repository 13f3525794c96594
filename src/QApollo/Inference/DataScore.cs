using QApollo.Batches;

namespace QApollo.Inference;

/// <summary>How well a model predicts a text.</summary>
/// <param name="LossSum">Over all scored tokens, in nats.</param>
/// <param name="Tokens">Scored tokens, ends of documents included.</param>
/// <param name="Bytes">Bytes of text that the scored tokens stand for.</param>
public readonly record struct DataScore(double LossSum, long Tokens, long Bytes)
{
    /// <summary>Mean per token, in nats.</summary>
    public double Loss => LossSum / Math.Max(1, Tokens);

    /// <summary>e to the <see cref="Loss"/>.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Comparable between tokenizers.</summary>
    public double BitsPerByte => LossSum / Math.Log(2) / Math.Max(1, Bytes);

    /// <param name="model">Planned for micro-batches of the shape of <paramref name="batches"/>.</param>
    /// <param name="progress">Micro-batches scored so far.</param>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public static DataScore Measure(
        InferenceModel model, IValidationBatches batches, ITokenizer tokenizer, IProgress<long>? progress = null, CancellationToken stop = default)
    {
        ScoringModel scoring = model.Layout.Scoring ?? throw new ArgumentException("the model is not planned for scoring", nameof(model));
        int length = batches.SequenceLength;
        var tokens = new int[batches.BatchSize * length];
        var labels = new int[tokens.Length];
        var score = new DataScore();
        for (long batch = 0; batch < batches.Count; batch++)
        {
            stop.ThrowIfCancellationRequested();
            batches.Read(batch, tokens, labels);
            double loss = scoring.LossSum(model.Device, tokens, labels);
            (long counted, long bytes) = Count(tokenizer, tokens, labels);
            score = new DataScore(score.LossSum + loss, score.Tokens + counted, score.Bytes + bytes);
            progress?.Report(batch + 1);
        }

        return score;
    }

    private static (long Tokens, long Bytes) Count(ITokenizer tokenizer, int[] tokens, int[] labels)
    {
        var decoder = new IncrementalDecoder(tokenizer);
        long counted = 0;
        long bytes = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] >= 0)
            {
                counted++;

                // Marks around documents stand for no text.
                bool isMark = labels[i] == tokenizer.EndOfDocument || labels[i] == tokenizer.BeginOfDocument;
                bytes += isMark ? 0 : decoder.Between(tokens[i], labels[i]).Length;
            }
        }

        return (counted, bytes);
    }
}
