namespace QApollo.TestSupport;

/// <summary>Conversions of whole arrays between binary32 and binary64.</summary>
public static class Precision
{
    public static double[] ToDouble(ReadOnlySpan<float> values)
    {
        double[] result = new double[values.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = values[i];
        }

        return result;
    }

    public static float[] ToSingle(ReadOnlySpan<double> values)
    {
        float[] result = new float[values.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = (float)values[i];
        }

        return result;
    }
}
