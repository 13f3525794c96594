namespace QApollo.Reports.Runs;

/// <summary>Steps of a run that are drawn as one point.</summary>
/// <param name="Step">The last of them.</param>
/// <param name="Tokens">Trained up to there.</param>
/// <param name="Seconds">Of training up to there.</param>
public readonly record struct SeriesPoint(int Step, long Tokens, double Seconds, double Mean, double Minimum, double Maximum);

/// <summary>
/// A figure over the steps of a run of any length, in bounded memory: as many points as a chart has room for, each the mean, minimum and
/// maximum of its steps, so that no spike is lost. When they are full, neighbours join.
/// </summary>
/// <param name="capacity">Points that are kept at least, once there were as many; at most twice as many are. From 1.</param>
public sealed class SeriesReducer(int capacity = SeriesReducer.Capacity)
{
    /// <summary>What a chart of one run has room for.</summary>
    public const int Capacity = 512;

    private readonly List<Bucket> _buckets = [];
    private int _perBucket = 1;

    private record struct Bucket(int Step, long Tokens, double Seconds, double Sum, double Minimum, double Maximum, int Count);

    public IReadOnlyList<SeriesPoint> Points =>
        [.. _buckets.Select(bucket => new SeriesPoint(bucket.Step, bucket.Tokens, bucket.Seconds, bucket.Sum / bucket.Count, bucket.Minimum, bucket.Maximum))];

    /// <summary>What is not finite in binary32, as pages have it, is left out.</summary>
    public void Add(int step, long tokens, double seconds, double value)
    {
        if (!float.IsFinite((float)value))
        {
            return;
        }

        var added = new Bucket(step, tokens, seconds, value, value, value, 1);
        if (_buckets.Count > 0 && _buckets[^1].Count < _perBucket)
        {
            _buckets[^1] = Join(_buckets[^1], added);
            return;
        }

        if (_buckets.Count == 2 * capacity)
        {
            for (int i = 0; i < capacity; i++)
            {
                _buckets[i] = Join(_buckets[2 * i], _buckets[(2 * i) + 1]);
            }

            _buckets.RemoveRange(capacity, capacity);
            _perBucket *= 2;
        }

        _buckets.Add(added);
    }

    private static Bucket Join(Bucket first, Bucket second) => new(
        second.Step, second.Tokens, second.Seconds, first.Sum + second.Sum, Math.Min(first.Minimum, second.Minimum), Math.Max(first.Maximum, second.Maximum),
        first.Count + second.Count);
}
