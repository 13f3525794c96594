namespace QApollo.Memory;

/// <summary>A number of bytes over the operations of a step, of which few change it.</summary>
internal sealed class BytesOverTime
{
    /// <summary>Operations at which the bytes change, ascending.</summary>
    private readonly int[] _times;

    /// <summary>The bytes from there on; 0 before.</summary>
    private readonly long[] _bytes;

    /// <param name="changes">What each operation adds to the bytes.</param>
    public BytesOverTime(ReadOnlySpan<long> changes)
    {
        int count = changes.Length - changes.Count(0L);
        (_times, _bytes) = (new int[count], new long[count]);
        long bytes = 0;
        for (int time = 0, next = 0; next < count; time++)
        {
            if (changes[time] != 0)
            {
                bytes += changes[time];
                (_times[next], _bytes[next]) = (time, bytes);
                next++;
            }
        }
    }

    public long At(int operation)
    {
        int index = Array.BinarySearch(_times, operation);
        index = index >= 0 ? index : ~index - 1;
        return index < 0 ? 0 : _bytes[index];
    }

    /// <summary>The most bytes, and the first operation that has them.</summary>
    public (long Bytes, int Operation) Peak()
    {
        (long Bytes, int Operation) peak = default;
        for (int i = 0; i < _times.Length; i++)
        {
            peak = _bytes[i] > peak.Bytes ? (_bytes[i], _times[i]) : peak;
        }

        return peak;
    }

    /// <summary>Adds the changes to those of others.</summary>
    public void AddTo(long[] changes)
    {
        long before = 0;
        for (int i = 0; i < _times.Length; i++)
        {
            changes[_times[i]] += _bytes[i] - before;
            before = _bytes[i];
        }
    }
}
