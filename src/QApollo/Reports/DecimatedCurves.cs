namespace QApollo.Reports;

/// <summary>
/// Curves over the same points, in bounded memory however many points come: consecutive points share a bucket, which keeps mean,
/// least and greatest value, so that no spike is lost. When all buckets are full, each takes in its neighbour.
/// </summary>
/// <param name="curves">Values at each point.</param>
public sealed class DecimatedCurves(int curves)
{
    /// <summary>As many as a wide screen has pixels for a curve; even, so that they merge in pairs.</summary>
    public const int MaxBuckets = 1024;

    private readonly RunPosition[] _positions = new RunPosition[MaxBuckets];
    private readonly Bucket[] _buckets = new Bucket[MaxBuckets * curves];
    private int _pointsPerBucket = 1;
    private int _pointsInLast;

    /// <summary>Buckets in use, <see cref="MaxBuckets"/> at most.</summary>
    public int Count { get; private set; }

    /// <summary>Points that were added.</summary>
    public long Points { get; private set; }

    /// <summary>Of the last point of each bucket.</summary>
    public ReadOnlySpan<RunPosition> Positions => _positions.AsSpan(0, Count);

    /// <param name="values">One for each curve; what is not finite counts as missing.</param>
    public void Add(RunPosition position, ReadOnlySpan<double> values)
    {
        if (Count == 0 || _pointsInLast == _pointsPerBucket)
        {
            if (Count == MaxBuckets)
            {
                Merge();
            }

            Count++;
            _pointsInLast = 0;
            _buckets.AsSpan((Count - 1) * curves, curves).Fill(Bucket.Empty);
        }

        _pointsInLast++;
        Points++;
        _positions[Count - 1] = position;
        Span<Bucket> last = _buckets.AsSpan((Count - 1) * curves, curves);
        for (int curve = 0; curve < curves; curve++)
        {
            if (double.IsFinite(values[curve]))
            {
                last[curve].Add(values[curve]);
            }
        }
    }

    /// <summary>Mean, least and greatest value of a bucket; NaN where it has none.</summary>
    public (double Mean, double Low, double High) At(int bucket, int curve)
    {
        Bucket values = _buckets[(bucket * curves) + curve];
        return values.Count == 0 ? (double.NaN, double.NaN, double.NaN) : (values.Sum / values.Count, values.Low, values.High);
    }

    private void Merge()
    {
        for (int bucket = 0; bucket < MaxBuckets / 2; bucket++)
        {
            _positions[bucket] = _positions[(2 * bucket) + 1];
            for (int curve = 0; curve < curves; curve++)
            {
                _buckets[(bucket * curves) + curve] = Bucket.Of(_buckets[(2 * bucket * curves) + curve], _buckets[(((2 * bucket) + 1) * curves) + curve]);
            }
        }

        Count = MaxBuckets / 2;
        _pointsPerBucket *= 2;
    }

    private record struct Bucket(double Sum, double Low, double High, long Count)
    {
        public static Bucket Empty { get; } = new(0, double.PositiveInfinity, double.NegativeInfinity, 0);

        public static Bucket Of(Bucket a, Bucket b) => new(a.Sum + b.Sum, Math.Min(a.Low, b.Low), Math.Max(a.High, b.High), a.Count + b.Count);

        public void Add(double value)
        {
            (Sum, Low, High) = (Sum + value, Math.Min(Low, value), Math.Max(High, value));
            Count++;
        }
    }
}

/// <summary>How far a run is.</summary>
/// <param name="Tokens">Trained on so far.</param>
/// <param name="Seconds">In steps so far; validation, samples and checkpoints come on top.</param>
public readonly record struct RunPosition(long Step, double Tokens, double Seconds);
