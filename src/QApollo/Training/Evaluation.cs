using QApollo.Batches;

namespace QApollo.Training;

/// <summary>Scores a model on held-out data.</summary>
public static class Evaluation
{
    /// <returns>Mean loss in nats, and the number of tokens that it is the mean of.</returns>
    /// <param name="trainer">Its micro-batch must have the shape of the batches.</param>
    public static (double Loss, long Tokens) MeanLoss(Trainer trainer, IValidationBatches batches)
    {
        int perBatch = trainer.Layout.Options.Shape.TokensPerMicroBatch;
        var tokens = new int[perBatch];
        var labels = new int[perBatch];
        double sum = 0;
        long counted = 0;
        for (long batch = 0; batch < batches.Count; batch++)
        {
            batches.Read(batch, tokens, labels);
            (double lossSum, int batchCounted) = trainer.Evaluate(tokens, labels);
            sum += lossSum;
            counted += batchCounted;
        }

        return (sum / Math.Max(1, counted), counted);
    }
}
