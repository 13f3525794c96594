using QApollo.Devices;

namespace QApollo.TestSupport.Oracles;

/// <summary>Adam's moments and direction in binary64.</summary>
public static class AdamOracle
{
    /// <summary>Rewrites the moments and returns the direction; what is not finite leaves its moments alone and gives 0.</summary>
    public static double[] Direction(double[] gradient, double[] moment1, double[] moment2, in AdamScalars scalars)
    {
        double[] direction = new double[gradient.Length];
        for (int i = 0; i < gradient.Length; i++)
        {
            if (!double.IsFinite(gradient[i]))
            {
                continue;
            }

            moment1[i] = scalars.Beta1 * moment1[i] + scalars.OneMinusBeta1 * gradient[i];
            moment2[i] = scalars.Beta2 * moment2[i] + scalars.OneMinusBeta2 * gradient[i] * gradient[i];
            direction[i] = scalars.BiasCorrection == BiasCorrection.StepSize
                ? moment1[i] / (Math.Sqrt(moment2[i]) + scalars.Epsilon)
                : scalars.Correction2 / scalars.Correction1 * moment1[i] / (Math.Sqrt(moment2[i]) + scalars.Epsilon * scalars.Correction2);
        }

        return direction;
    }
}
