namespace QApollo.TestSupport.Oracles;

/// <summary>Biases in binary64, element by element.</summary>
public static class BiasOracle
{
    public static double[] Add(double[] values, double[] bias) => [.. values.Select((value, i) => value + bias[i % bias.Length])];

    /// <param name="before">What the gradient held before, when it is accumulated.</param>
    public static double[] Gradient(double[] outputGradient, int columns, double[]? before = null)
    {
        double[] sums = before is null ? new double[columns] : [.. before];
        for (int i = 0; i < outputGradient.Length; i++)
        {
            sums[i % columns] += outputGradient[i];
        }

        return sums;
    }
}
