namespace QApollo.Cli.Views;

/// <summary>
/// The losses of a run in bounded memory: buckets of equally many steps. When all are full, neighbours are joined, so
/// that the whole run stays in view at a resolution that falls.
/// </summary>
internal sealed class LossHistory
{
    /// <summary>Even: buckets are joined in pairs.</summary>
    private const int MaxBuckets = 512;

    private readonly double[] _means = new double[MaxBuckets];
    private int _full;
    private int _perBucket = 1;
    private double _sum;
    private int _count;

    public void Add(double loss)
    {
        _sum += loss;
        if (++_count < _perBucket)
        {
            return;
        }

        _means[_full++] = _sum / _count;
        (_sum, _count) = (0, 0);
        if (_full == MaxBuckets)
        {
            for (int i = 0; i < MaxBuckets / 2; i++)
            {
                _means[i] = (_means[2 * i] + _means[(2 * i) + 1]) / 2;
            }

            _full /= 2;
            _perBucket *= 2;
        }
    }

    /// <summary>Means of equally many steps each, oldest first.</summary>
    public double[] ToArray() => _means.AsSpan(0, _full).ToArray();
}
