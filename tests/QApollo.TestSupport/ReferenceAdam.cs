using QApollo.Devices;
using QApollo.TestSupport.Goldens;

namespace QApollo.TestSupport;

/// <summary>
/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) in binary64: M = b1 M + (1 - b1) G, V = b2 V + (1 - b2) G², then
/// D = M / (sqrt(V) + eps) with the bias correction c2/c1 in the step size (APOLLO's sources), or
/// D = c2/c1 M / (sqrt(V) + eps c2) (torch.optim.AdamW), c1 = 1 - b1^t, c2 = sqrt(1 - b2^t).
/// </summary>
public sealed class ReferenceAdam(int elements, AdamSettings settings)
{
    public double[] FirstMoment { get; } = new double[elements];

    public double[] SecondMoment { get; } = new double[elements];

    /// <summary>Updates so far.</summary>
    public int Updates { get; private set; }

    /// <summary>One update of <paramref name="weight"/> in place, with decoupled weight decay.</summary>
    public void Step(double[] weight, ReadOnlySpan<double> gradient, double learningRate)
    {
        double[] direction = Advance(gradient);
        double step = learningRate * StepCorrection;
        double decay = 1 - learningRate * settings.WeightDecay;
        for (int i = 0; i < weight.Length; i++)
        {
            weight[i] = settings.DecayFirst ? weight[i] * decay - step * direction[i] : (weight[i] - step * direction[i]) * decay;
        }
    }

    /// <summary>Takes in the next gradient and gives the direction D.</summary>
    public double[] Advance(ReadOnlySpan<double> gradient)
    {
        Updates++;
        var (c1, c2) = Corrections;
        bool corrected = settings.BiasCorrection == BiasCorrection.Direction;
        double numerator = corrected ? c2 / c1 : 1;
        double epsilon = corrected ? settings.Epsilon * c2 : settings.Epsilon;
        var (b1, b2) = settings.SingleBetas ? ((float)settings.Beta1, (float)settings.Beta2) : (settings.Beta1, settings.Beta2);
        double[] direction = new double[gradient.Length];
        for (int i = 0; i < gradient.Length; i++)
        {
            double g = gradient[i];
            FirstMoment[i] = b1 * FirstMoment[i] + (1 - b1) * g;
            SecondMoment[i] = b2 * SecondMoment[i] + (1 - b2) * g * g;
            direction[i] = numerator * FirstMoment[i] / (Math.Sqrt(SecondMoment[i]) + epsilon);
        }

        return direction;
    }

    /// <summary>What the learning rate is multiplied with at the current update: c2/c1, or 1 if the direction has it.</summary>
    public double StepCorrection
    {
        get
        {
            var (c1, c2) = Corrections;
            return settings.BiasCorrection == BiasCorrection.StepSize ? c2 / c1 : 1;
        }
    }

    private (double C1, double C2) Corrections => settings.SingleBetas
        ? (1f - MathF.Pow((float)settings.Beta1, Updates), MathF.Sqrt(1f - MathF.Pow((float)settings.Beta2, Updates)))
        : (1 - Math.Pow(settings.Beta1, Updates), Math.Sqrt(1 - Math.Pow(settings.Beta2, Updates)));
}
