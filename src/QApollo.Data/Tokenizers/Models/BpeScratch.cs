namespace QApollo.Data.Tokenizers.Models;

/// <summary>
/// Merges the symbols of a word, lowest rank first, leftmost first among equals. Short words scan for the best pair;
/// long ones keep their pairs in a heap, so that the time is n log n.
/// </summary>
internal sealed class BpeScratch
{
    private const int Scanned = 40;
    private const int Kept = 1 << 16;
    private const int Gone = -2;
    private const int End = -1;

    private int[] _symbols = new int[64];
    private readonly ulong[] _merges = new ulong[64];
    private int[] _next = [];
    private int[] _previous = [];
    private ulong[] _heap = [];
    private int _heapCount;

    public int Count { get; private set; }

    public ReadOnlySpan<int> Symbols => _symbols.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(int symbol)
    {
        if (Count == _symbols.Length)
        {
            Array.Resize(ref _symbols, Count * 2);
        }

        _symbols[Count++] = symbol;
    }

    public void Merge(PairTable pairs)
    {
        if (Count <= Scanned)
        {
            MergeByScan(pairs);
        }
        else
        {
            MergeByHeap(pairs);
        }
    }

    public void Trim()
    {
        if (_symbols.Length > Kept)
        {
            _symbols = new int[64];
            (_next, _previous, _heap) = ([], [], []);
        }
    }

    private void MergeByScan(PairTable pairs)
    {
        int count = Count;
        Span<int> symbols = _symbols;
        Span<ulong> merges = _merges;
        for (int i = 0; i + 1 < count; i++)
        {
            merges[i] = pairs.Find(symbols[i], symbols[i + 1]);
        }

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i < count - 1; i++)
            {
                // By rank alone: equal ranks (tied scores) go to the leftmost, whatever they make.
                best = merges[i] >> 32 < merges[best] >> 32 ? i : best;
            }

            if (merges[best] == PairTable.None)
            {
                break;
            }

            symbols[best] = (int)(uint)merges[best];
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            if (best + 2 < count)
            {
                merges[(best + 1)..(count - 1)].CopyTo(merges[best..]);
            }

            count--;
            if (best > 0)
            {
                merges[best - 1] = pairs.Find(symbols[best - 1], symbols[best]);
            }

            if (best + 1 < count)
            {
                merges[best] = pairs.Find(symbols[best], symbols[best + 1]);
            }
        }

        Count = count;
    }

    private void MergeByHeap(PairTable pairs)
    {
        int count = Count;
        Reserve(count);
        _heapCount = 0;
        for (int i = 0; i < count; i++)
        {
            (_previous[i], _next[i]) = (i - 1, i + 1 < count ? i + 1 : End);
            ulong merge = i + 1 < count ? pairs.Find(_symbols[i], _symbols[i + 1]) : PairTable.None;
            if (merge != PairTable.None)
            {
                _heap[_heapCount++] = Candidate(merge, i);
            }
        }

        for (int i = (_heapCount / 2) - 1; i >= 0; i--)
        {
            SiftDown(i);
        }

        while (_heapCount > 0)
        {
            ulong top = Pop();
            int left = (int)(uint)top;
            int right = _next[left];
            if (right < 0)
            {
                continue;
            }

            ulong merge = pairs.Find(_symbols[left], _symbols[right]);
            if (merge == PairTable.None || Candidate(merge, left) != top)
            {
                continue;
            }

            int after = _next[right];
            _symbols[left] = (int)(uint)merge;
            _next[left] = after;
            _next[right] = Gone;
            if (after >= 0)
            {
                _previous[after] = left;
                Offer(pairs, left, after);
            }

            if (_previous[left] >= 0)
            {
                Offer(pairs, _previous[left], left);
            }
        }

        Count = 0;
        for (int i = 0; i >= 0; i = _next[i])
        {
            _symbols[Count++] = _symbols[i];
        }
    }

    private void Reserve(int count)
    {
        if (_next.Length < count)
        {
            _next = new int[count];
            _previous = new int[count];
            _heap = new ulong[count];
        }
    }

    private static ulong Candidate(ulong merge, int position) => (merge & 0xFFFFFFFF_00000000) | (uint)position;

    private void Offer(PairTable pairs, int left, int right)
    {
        ulong merge = pairs.Find(_symbols[left], _symbols[right]);
        if (merge == PairTable.None)
        {
            return;
        }

        if (_heapCount == _heap.Length)
        {
            Array.Resize(ref _heap, _heapCount * 2);
        }

        ulong candidate = Candidate(merge, left);
        int at = _heapCount++;
        while (at > 0 && _heap[(at - 1) / 2] > candidate)
        {
            _heap[at] = _heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _heap[at] = candidate;
    }

    private ulong Pop()
    {
        ulong top = _heap[0];
        _heap[0] = _heap[--_heapCount];
        SiftDown(0);
        return top;
    }

    private void SiftDown(int at)
    {
        ulong moving = _heap[at];
        for (int child = (2 * at) + 1; child < _heapCount; child = (2 * at) + 1)
        {
            child += child + 1 < _heapCount && _heap[child + 1] < _heap[child] ? 1 : 0;
            if (moving <= _heap[child])
            {
                break;
            }

            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = moving;
    }
}
