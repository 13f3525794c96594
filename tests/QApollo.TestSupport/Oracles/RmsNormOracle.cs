namespace QApollo.TestSupport.Oracles;

/// <summary>RMSNorm in binary64. Shapes: x, y, dy, dx [n, h], weight, dw [h].</summary>
public static class RmsNormOracle
{
    public static (double[] Output, double[] InverseRms) Forward(double[] x, double[] weight, double epsilon, int n)
    {
        int h = weight.Length;
        double[] y = new double[n * h];
        double[] inverse = new double[n];
        for (int i = 0; i < n; i++)
        {
            double squares = 0;
            for (int j = 0; j < h; j++)
            {
                squares += x[i * h + j] * x[i * h + j];
            }

            inverse[i] = 1 / Math.Sqrt(squares / h + epsilon);
            for (int j = 0; j < h; j++)
            {
                y[i * h + j] = x[i * h + j] * inverse[i] * weight[j];
            }
        }

        return (y, inverse);
    }

    public static (double[] InputGradient, double[] WeightGradient) Backward(
        double[] dy, double[] x, double[] weight, double[] inverseRms, double[]? oldInput = null, double[]? oldWeight = null)
    {
        int h = weight.Length;
        double[] dx = oldInput is null ? new double[x.Length] : [.. oldInput];
        double[] dw = oldWeight is null ? new double[h] : [.. oldWeight];
        for (int i = 0; i < inverseRms.Length; i++)
        {
            double r = inverseRms[i];
            double product = 0;
            for (int j = 0; j < h; j++)
            {
                product += dy[i * h + j] * weight[j] * x[i * h + j];
            }

            for (int j = 0; j < h; j++)
            {
                dx[i * h + j] += r * (dy[i * h + j] * weight[j] - x[i * h + j] * r * r * product / h);
                dw[j] += dy[i * h + j] * x[i * h + j] * r;
            }
        }

        return (dx, dw);
    }
}
