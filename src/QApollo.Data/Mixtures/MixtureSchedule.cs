namespace QApollo.Data;

/// <summary>
/// Which source gives the next sequence. The counts never leave their exact shares by one sequence or more: it is the chairman
/// assignment of Tijdeman (Discrete Mathematics 32, 1980), whose deviation is at most 1 - 1 / (2k - 2) for k sources, the
/// least that is possible. The order is a function of weights, sizes and the rule for exhausted sources alone.
/// </summary>
public sealed class MixtureSchedule
{
    private readonly double[] _weights;
    private readonly long[] _epochs;
    private readonly WhenExhausted _rule;
    private readonly long[] _visited;
    private readonly bool[] _active;
    private readonly double[] _shares;
    private readonly long[] _sinceChange;
    private readonly State _saved;
    private long _stepsSinceChange;
    private int _activeCount;

    /// <param name="weights">Above 0, of any sum.</param>
    /// <param name="epochs">Sequences that each source has.</param>
    public MixtureSchedule(IReadOnlyList<double> weights, IReadOnlyList<long> epochs, WhenExhausted rule)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(epochs);
        ArgumentOutOfRangeException.ThrowIfNotEqual(epochs.Count, weights.Count);
        ArgumentOutOfRangeException.ThrowIfZero(weights.Count);
        _weights = [.. weights];
        _epochs = [.. epochs];
        _rule = rule;
        _visited = new long[weights.Count];
        _active = new bool[weights.Count];
        _shares = new double[weights.Count];
        _sinceChange = new long[weights.Count];
        _saved = new State(weights.Count);
        Restart();
    }

    /// <summary>Sequences chosen so far.</summary>
    public long Index { get; private set; }

    /// <summary>Sequences that a source has given so far.</summary>
    public long Visited(int source) => _visited[source];

    /// <summary>Goes to any place: everything before is chosen again (some 20 million a second).</summary>
    public void Seek(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        Index = 0;
        Array.Clear(_visited);
        Restart();
        while (Index < index)
        {
            Next();
        }
    }

    /// <summary>Chooses the source of the next sequence and moves on.</summary>
    public int Next()
    {
        int source = Choose();
        Index++;
        _visited[source]++;
        _sinceChange[source]++;
        _stepsSinceChange++;
        if (_rule == WhenExhausted.Drop && _visited[source] % _epochs[source] == 0)
        {
            _active[source] = false;
            _activeCount--;
            if (_activeCount == 0)
            {
                Restart();
            }
            else
            {
                Share();
            }
        }

        return source;
    }

    /// <summary>Whether so many sequences come before a source ends that may not begin anew. Allocates nothing.</summary>
    public bool Has(int sequences)
    {
        if (_rule != WhenExhausted.Stop)
        {
            return true;
        }

        _saved.Store(this);
        bool has = true;
        for (int i = 0; i < sequences && has; i++)
        {
            int source = Next();
            has = _visited[source] <= _epochs[source];
        }

        _saved.Restore(this);
        return has;
    }

    private int Choose()
    {
        // Eligible is who lags far enough; of them, who would be too late first.
        double slack = _activeCount > 1 ? 1.0 / ((2 * _activeCount) - 2) : 1.0;
        int chosen = -1;
        double earliest = double.PositiveInfinity;
        int mostBehind = -1;
        double most = double.NegativeInfinity;
        for (int i = 0; i < _weights.Length; i++)
        {
            if (!_active[i])
            {
                continue;
            }

            double behind = (_shares[i] * (_stepsSinceChange + 1)) - _sinceChange[i];
            double deadline = (1 - slack - behind) / _shares[i];
            if (behind >= slack && deadline < earliest)
            {
                (chosen, earliest) = (i, deadline);
            }

            if (behind > most)
            {
                (mostBehind, most) = (i, behind);
            }
        }

        // There is always one eligible, but for rounding.
        return chosen >= 0 ? chosen : mostBehind;
    }

    private void Restart()
    {
        Array.Fill(_active, true);
        _activeCount = _active.Length;
        Share();
    }

    /// <summary>The active sources' shares, counted from here.</summary>
    private void Share()
    {
        double sum = 0;
        for (int i = 0; i < _weights.Length; i++)
        {
            sum += _active[i] ? _weights[i] : 0;
        }

        for (int i = 0; i < _weights.Length; i++)
        {
            _shares[i] = _weights[i] / sum;
        }

        Array.Clear(_sinceChange);
        _stepsSinceChange = 0;
    }

    /// <summary>Where a look ahead began; no source is ever dropped while one is taken.</summary>
    private sealed class State(int sources)
    {
        private readonly long[] _visited = new long[sources];
        private readonly long[] _sinceChange = new long[sources];
        private long _index;
        private long _steps;

        public void Store(MixtureSchedule schedule)
        {
            schedule._visited.CopyTo(_visited, 0);
            schedule._sinceChange.CopyTo(_sinceChange, 0);
            (_index, _steps) = (schedule.Index, schedule._stepsSinceChange);
        }

        public void Restore(MixtureSchedule schedule)
        {
            _visited.CopyTo(schedule._visited, 0);
            _sinceChange.CopyTo(schedule._sinceChange, 0);
            (schedule.Index, schedule._stepsSinceChange) = (_index, _steps);
        }
    }
}
