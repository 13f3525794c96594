namespace QApollo.Data.Tokenizers.Training;

/// <summary>Pairs by their counts: the most frequent first, among equals the one with the smaller ids.</summary>
internal sealed class PairHeap
{
    private readonly PriorityQueue<ulong, Order> _queue = new();

    private readonly record struct Order(long Count, ulong Pair) : IComparable<Order>
    {
        public int CompareTo(Order other) =>
            Count != other.Count ? other.Count.CompareTo(Count) : Pair.CompareTo(other.Pair);
    }

    public void Push(ulong pair, long count) => _queue.Enqueue(pair, new Order(count, pair));

    public bool TryPop(out ulong pair, out long count)
    {
        bool found = _queue.TryDequeue(out pair, out Order order);
        count = order.Count;
        return found;
    }
}
