using QApollo.Training;

namespace QApollo.Reports;

/// <summary>Tokens for measurements, which need no text.</summary>
internal static class RandomTokens
{
    /// <summary>One step's tokens and labels, equally likely ids of the model's vocabulary.</summary>
    public static (int[] Tokens, int[] Labels) Of(TrainingOptions options)
    {
        var random = new Random((int)options.Seed);
        int[] Draw() => [.. Enumerable.Range(0, options.Shape.TokensPerStep).Select(_ => random.Next(options.Model.VocabSize))];
        return (Draw(), Draw());
    }
}
