namespace QApollo.Benchmarks;

public static class Median
{
    /// <summary>The middle value, the higher of the two middle ones for an even number.</summary>
    public static double Of(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
