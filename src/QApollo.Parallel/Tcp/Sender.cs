namespace QApollo.Parallel.Tcp;

/// <summary>
/// Sends on a thread of its own while the caller receives: two ranks that both only sent would wait for each other.
/// </summary>
internal sealed class Sender : IDisposable
{
    private readonly Action _work;
    private readonly SemaphoreSlim _begin = new(0);
    private readonly SemaphoreSlim _done = new(0);
    private readonly Thread _thread;
    private volatile bool _ends;
    private RankGoneException? _failure;

    /// <param name="work">What to do each time.</param>
    public Sender(Action work)
    {
        _work = work;
        _thread = new Thread(Loop) { IsBackground = true, Name = "qapollo send" };
        _thread.Start();
    }

    public void Begin() => _begin.Release();

    /// <exception cref="RankGoneException">The receiving side is gone.</exception>
    public void Await()
    {
        _done.Wait();
        if (_failure is not null)
        {
            throw _failure;
        }
    }

    /// <summary>Waits so long at most, whatever comes of it.</summary>
    /// <returns>Whether the work has ended.</returns>
    public bool TryAwait(TimeSpan limit) => _done.Wait(limit);

    public void Dispose()
    {
        _ends = true;
        _begin.Release();
        _thread.Join();
        _begin.Dispose();
        _done.Dispose();
    }

    private void Loop()
    {
        while (true)
        {
            _begin.Wait();
            if (_ends)
            {
                return;
            }

            try
            {
                _work();
            }
            catch (RankGoneException exception)
            {
                _failure = exception;
            }

            _done.Release();
        }
    }
}
