using System.Collections.Concurrent;

namespace QApollo.Data.Tokenizers;

/// <summary>One <see cref="EncodeState"/> per text that is being encoded; as many as ever run at once.</summary>
internal sealed class EncodeStatePool
{
    private readonly ConcurrentBag<EncodeState> _free = [];

    public EncodeState Rent() => _free.TryTake(out EncodeState? state) ? state : new EncodeState();

    /// <summary>A state whose text failed is not to be returned: it may be half-way.</summary>
    public void Return(EncodeState state) => _free.Add(state);
}
