using System.Runtime.ExceptionServices;
using QApollo.Devices;

namespace QApollo.Collectives;

/// <summary>Sums gradients one after the other, in the order in which they were begun, on a thread beside the computation.</summary>
internal sealed class SumQueue : IDisposable
{
    private readonly Action<PendingSum> _work;
    private readonly PendingSum[] _pending;
    private readonly SemaphoreSlim _begun = new(0);
    private readonly SemaphoreSlim _done = new(0);
    private readonly Thread _thread;
    private volatile ExceptionDispatchInfo? _failure;
    private int _next;
    private int _unfinished;

    /// <param name="capacity">Sums that are begun and not awaited, at most.</param>
    public SumQueue(int capacity, Action<PendingSum> work)
    {
        // One more place, for the end.
        (_work, _pending) = (work, new PendingSum[capacity + 1]);
        _thread = new Thread(Loop) { IsBackground = true, Name = "qapollo sums" };
        _thread.Start();
    }

    public void Begin(in PendingSum sum)
    {
        _unfinished++;
        Enqueue(sum);
    }

    /// <summary>Waits for the sum that was begun first; does nothing where none was. What failed, fails here.</summary>
    public void AwaitFirst()
    {
        if (_unfinished > 0)
        {
            _unfinished--;
            _done.Wait();
            _failure?.Throw();
        }
    }

    /// <summary>Waits for all that was begun: the memory that it works on may then go.</summary>
    public void Dispose()
    {
        Enqueue(default);
        _thread.Join();
        _begun.Dispose();
        _done.Dispose();
    }

    private void Enqueue(in PendingSum sum)
    {
        _pending[_next] = sum;
        _next = (_next + 1) % _pending.Length;
        _begun.Release();
    }

    private void Loop()
    {
        for (int next = 0; ; next = (next + 1) % _pending.Length)
        {
            _begun.Wait();
            PendingSum sum = _pending[next];
            if (sum.Gradient.IsAbsent)
            {
                return;
            }

            try
            {
                if (_failure is null)
                {
                    _work(sum);
                }
            }
            catch (Exception exception)
            {
                _failure = ExceptionDispatchInfo.Capture(exception);
            }

            _done.Release();
        }
    }
}

/// <param name="Mark">Of the lane: the gradient is complete.</param>
/// <param name="IsVector">A norm or a bias.</param>
internal readonly record struct PendingSum(Tensor Gradient, bool IsVector, int Mark);
