namespace QApollo.TestSupport.Contract;

/// <summary>Repeatable random test data.</summary>
public sealed class Samples(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>Normal values.</summary>
    public double[] Normals(int count, double deviation = 1)
    {
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
        }

        return values;
    }

    public double[] Uniform(int count, double low, double high)
    {
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = low + (high - low) * _random.NextDouble();
        }

        return values;
    }

    public int[] Integers(int count, int low, int high)
    {
        int[] values = new int[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = _random.Next(low, high);
        }

        return values;
    }
}
