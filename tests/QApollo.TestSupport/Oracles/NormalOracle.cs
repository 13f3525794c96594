using QApollo.Quantization;

namespace QApollo.TestSupport.Oracles;

/// <summary>Box–Muller transform of a stream in binary64.</summary>
public static class NormalOracle
{
    public static double[] Values(in RandomStream stream, long firstElement, int count, double deviation)
    {
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            ulong element = (ulong)(firstElement + i);
            double radius = Math.Sqrt(-2 * Math.Log(Unit(Philox.Word(stream, element & ~1ul))));
            double angle = 2 * Math.PI * Unit(Philox.Word(stream, element | 1ul));
            values[i] = deviation * radius * ((element & 1) == 0 ? Math.Cos(angle) : Math.Sin(angle));
        }

        return values;
    }

    private static double Unit(uint word) => (word + 0.5) / 4294967296.0;
}
