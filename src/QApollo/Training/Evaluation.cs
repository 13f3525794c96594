using QApollo.Batches;
using QApollo.Collectives;

namespace QApollo.Training;

/// <summary>Scores a model on held-out data.</summary>
public static class Evaluation
{
    /// <summary>Each rank scores its share of the batches.</summary>
    /// <returns>Mean loss in nats, and the number of tokens that it is the mean of.</returns>
    /// <param name="trainer">Its micro-batch must have the shape of the batches.</param>
    public static (double Loss, long Tokens) MeanLoss(Trainer trainer, IValidationBatches batches)
    {
        int perBatch = trainer.Layout.Options.Shape.TokensPerMicroBatch;
        var tokens = new int[perBatch];
        var labels = new int[perBatch];
        Span<double> lossAndCount = [0, 0];
        for (long batch = trainer.Ranks.Rank; batch < batches.Count; batch += trainer.Ranks.Size)
        {
            batches.Read(batch, tokens, labels);
            (double lossSum, int counted) = trainer.Evaluate(tokens, labels);
            lossAndCount[0] += lossSum;
            lossAndCount[1] += counted;
        }

        trainer.Ranks.SumInOrder(lossAndCount);
        return (lossAndCount[0] / Math.Max(1, lossAndCount[1]), (long)lossAndCount[1]);
    }
}
