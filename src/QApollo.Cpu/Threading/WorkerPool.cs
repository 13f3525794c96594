using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace QApollo.Cpu.Threading;

/// <summary>
/// The device's threads. A dispatch allocates nothing: the job is a struct on the caller's stack, and workers that
/// arrive after its last task was taken are not waited for. Idle workers spin briefly, then sleep.
/// One caller at a time; jobs do not nest.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    /// <summary>About 20 microseconds: longer than the gap between two operations, too short to be a burden when idle.</summary>
    private const int SpinsBeforeSleep = 400;

    private const long Open = 1L << 31;
    private const long ActiveMask = Open - 1;
    private const int GenerationShift = 32;

    private readonly Thread[] _workers;
    private readonly object _gate = new();
    private State _state;
    private void* _job;
    private delegate*<void*, int, int, void> _run;
    private int _tasks;
    private int _sleepers;
    private bool _stopping;
    private ExceptionDispatchInfo? _failure;

    /// <param name="threads">Threads that work at a job, the caller's included.</param>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Thread[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            int worker = i + 1;
            _workers[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"qapollo-cpu-{worker}" };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Runs all tasks of a job and returns when they are done; the first exception of a task is thrown here.</summary>
    public void Run<TJob>(TJob job, int tasks)
        where TJob : unmanaged, IJob
    {
        if (tasks <= 1 || _workers.Length == 0)
        {
            for (int task = 0; task < tasks; task++)
            {
                job.Run(task, 0);
            }

            return;
        }

        _job = &job;
        _run = &Invoke<TJob>;
        _tasks = tasks;
        _state.Next = 0;
        long generation = (_state.Word >> GenerationShift) + 1;
        Interlocked.Exchange(ref _state.Word, (generation << GenerationShift) | Open);
        Wake();
        TakeTasks(worker: 0);
        Interlocked.And(ref _state.Word, ~Open);
        var spinner = default(SpinWait);
        while ((Volatile.Read(ref _state.Word) & ActiveMask) != 0)
        {
            spinner.SpinOnce(sleep1Threshold: -1);
        }

        if (_failure is { } failure)
        {
            _failure = null;
            failure.Throw();
        }
    }

    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }
    }

    private static void Invoke<TJob>(void* job, int task, int worker)
        where TJob : unmanaged, IJob => ((TJob*)job)->Run(task, worker);

    private void Work(int worker)
    {
        long seen = 0;
        while (WaitForJob(seen))
        {
            long word = Volatile.Read(ref _state.Word);
            while ((word & Open) != 0)
            {
                long before = Interlocked.CompareExchange(ref _state.Word, word + 1, word);
                if (before == word)
                {
                    TakeTasks(worker);
                    Interlocked.Decrement(ref _state.Word);
                    break;
                }

                word = before;
            }

            seen = word >> GenerationShift;
        }
    }

    /// <summary>False when the pool stops.</summary>
    private bool WaitForJob(long seen)
    {
        for (int spin = 0; spin < SpinsBeforeSleep; spin++)
        {
            if (Volatile.Read(ref _stopping))
            {
                return false;
            }

            if (Volatile.Read(ref _state.Word) >> GenerationShift != seen)
            {
                return true;
            }

            Thread.SpinWait(8);
        }

        lock (_gate)
        {
            // The increment is a full fence: either Run sees the sleeper, or the sleeper sees the new generation.
            Interlocked.Increment(ref _sleepers);
            while (!_stopping && Volatile.Read(ref _state.Word) >> GenerationShift == seen)
            {
                Monitor.Wait(_gate);
            }

            Interlocked.Decrement(ref _sleepers);
            return !_stopping;
        }
    }

    private void Wake()
    {
        if (Volatile.Read(ref _sleepers) != 0)
        {
            lock (_gate)
            {
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void TakeTasks(int worker)
    {
        try
        {
            while (true)
            {
                int task = Interlocked.Increment(ref _state.Next) - 1;
                if (task >= _tasks)
                {
                    return;
                }

                _run(_job, task, worker);
            }
        }
#pragma warning disable CA1031 // Whatever a task throws belongs to the caller of Run, not to this thread.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            Interlocked.Exchange(ref _state.Next, _tasks);
        }
    }

    /// <summary>The two contended words, each on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct State
    {
        /// <summary>Bits 32..63: number of the job; bit 31: tasks may still be taken; bits 0..30: workers at it.</summary>
        [FieldOffset(128)]
        public long Word;

        [FieldOffset(256)]
        public int Next;
    }
}
