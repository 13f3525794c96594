namespace QApollo.TestSupport.Oracles;

/// <summary>Matrix products of a linear layer in binary64. Shapes: x [n, c], w [o, c], dy [n, o].</summary>
public static class LinearOracle
{
    /// <summary>x wᵀ + addend.</summary>
    public static double[] Forward(double[] x, double[] w, int n, int c, int o, double[]? addend = null)
    {
        double[] y = new double[n * o];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < o; j++)
            {
                double sum = addend?[i * o + j] ?? 0;
                for (int k = 0; k < c; k++)
                {
                    sum += x[i * c + k] * w[j * c + k];
                }

                y[i * o + j] = sum;
            }
        }

        return y;
    }

    /// <summary>dy w + old.</summary>
    public static double[] InputGradient(double[] dy, double[] w, int n, int c, int o, double[]? old = null)
    {
        double[] dx = old is null ? new double[n * c] : [.. old];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < o; j++)
            {
                for (int k = 0; k < c; k++)
                {
                    dx[i * c + k] += dy[i * o + j] * w[j * c + k];
                }
            }
        }

        return dx;
    }

    /// <summary>dyᵀ x + old.</summary>
    public static double[] WeightGradient(double[] dy, double[] x, int n, int c, int o, double[]? old = null)
    {
        double[] dw = old is null ? new double[o * c] : [.. old];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < o; j++)
            {
                for (int k = 0; k < c; k++)
                {
                    dw[j * c + k] += dy[i * o + j] * x[i * c + k];
                }
            }
        }

        return dw;
    }
}
