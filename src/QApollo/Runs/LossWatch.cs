using System.Globalization;

namespace QApollo.Runs;

/// <summary>
/// Tells a training that goes wrong from its losses: by a jump far outside of what the last steps scattered, or by a loss far above
/// ln V, that of a model which knows nothing. A pure function of the losses, so that a resumed run judges as an unbroken one.
/// </summary>
/// <param name="vocabularySize">V.</param>
public sealed class LossWatch(int vocabularySize)
{
    /// <summary>Steps that a loss is compared with.</summary>
    public const int Window = 64;

    /// <summary>A spread of fewer steps says little.</summary>
    private const int Fewest = 32;

    /// <summary>Standard deviations; a normal distribution has one in a billion beyond.</summary>
    private const double SpikeDeviations = 6;

    /// <summary>Nats. Where losses hardly scatter, a small step is many deviations, but no harm.</summary>
    private const double SmallestSpike = 0.5;

    /// <summary>A new model's loss is a little above ln V; one that is half as much again has been led away from it.</summary>
    private const double FarAboveUniform = 1.5;

    private readonly double[] _losses = new double[Window];
    private readonly double _uniform = Math.Log(vocabularySize);
    private int _seen;

    /// <summary>Takes the loss of the next step.</summary>
    /// <param name="loss">Mean over the step's tokens, in nats.</param>
    /// <returns>What is wrong with it, for people; null when nothing is.</returns>
    public string? Judge(double loss)
    {
        string? fault = Find(loss);
        _losses[_seen++ % Window] = loss;
        return fault;
    }

    /// <summary>As <see cref="Judge"/>, but later losses are not compared with this one.</summary>
    public string? Find(double loss)
    {
        if (!(loss <= FarAboveUniform * _uniform))
        {
            return string.Create(CultureInfo.InvariantCulture, $"the loss is {loss:N4}; a model that knows nothing has {_uniform:F2} (ln of the vocabulary)");
        }

        if (_seen < Fewest)
        {
            return null;
        }

        ReadOnlySpan<double> last = _losses.AsSpan(0, Math.Min(_seen, Window));
        double mean = 0;
        foreach (double value in last)
        {
            mean += value / last.Length;
        }

        double squares = 0;
        foreach (double value in last)
        {
            squares += (value - mean) * (value - mean);
        }

        double rise = loss - mean;
        double deviation = Math.Sqrt(squares / (last.Length - 1));
        return rise > Math.Max(SmallestSpike, SpikeDeviations * deviation)
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"the loss jumped to {loss:F4}; the last {last.Length} steps had {mean:F4} with a standard deviation of {deviation:F4}")
            : null;
    }
}
