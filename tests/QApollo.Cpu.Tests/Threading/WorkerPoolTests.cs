using QApollo.Cpu.Threading;
using Xunit;

namespace QApollo.Cpu.Tests.Threading;

public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_task_runs_exactly_once(int threads)
    {
        using var pool = new WorkerPool(threads);
        int* counts = stackalloc int[300];
        for (int round = 0; round < 2000; round++)
        {
            int tasks = round % 300;
            new Span<int>(counts, 300).Clear();
            pool.Run(new CountJob { Counts = counts }, tasks);
            for (int i = 0; i < 300; i++)
            {
                Assert.Equal(i < tasks ? 1 : 0, counts[i]);
            }
        }
    }

    /// <summary>Pauses long enough for the workers to fall asleep.</summary>
    [Fact]
    public void Sleeping_workers_wake_up()
    {
        using var pool = new WorkerPool(3);
        int* counts = stackalloc int[8];
        for (int round = 0; round < 20; round++)
        {
            Thread.Sleep(3);
            pool.Run(new CountJob { Counts = counts }, 8);
        }

        for (int i = 0; i < 8; i++)
        {
            Assert.Equal(20, counts[i]);
        }
    }

    [Fact]
    public void Worker_numbers_stay_below_the_number_of_threads_and_are_never_shared()
    {
        using var pool = new WorkerPool(4);
        int* busy = stackalloc int[4];
        for (int round = 0; round < 200; round++)
        {
            pool.Run(new OccupyJob { Busy = busy }, 16);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_exception_of_a_task_reaches_the_caller_and_the_pool_lives_on(int threads)
    {
        using var pool = new WorkerPool(threads);
        int* counts = stackalloc int[100];
        for (int round = 0; round < 50; round++)
        {
            var exception = Assert.Throws<InvalidOperationException>(() => pool.Run(new ThrowJob { Task = 7 }, 100));
            Assert.Equal("task 7", exception.Message);
        }

        pool.Run(new CountJob { Counts = counts }, 100);
        Assert.Equal(1, counts[99]);
    }

    [Fact]
    public void A_dispatch_allocates_nothing()
    {
        using var pool = new WorkerPool(3);
        int* counts = stackalloc int[64];
        for (int round = 0; round < 100; round++)
        {
            pool.Run(new CountJob { Counts = counts }, 64);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 1000; round++)
        {
            pool.Run(new CountJob { Counts = counts }, 64);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private struct CountJob : IJob
    {
        public int* Counts;

        public readonly void Run(int task, int worker) => Interlocked.Increment(ref Counts[task]);
    }

    private struct OccupyJob : IJob
    {
        public int* Busy;

        public readonly void Run(int task, int worker)
        {
            if (Interlocked.Exchange(ref Busy[worker], 1) != 0)
            {
                throw new InvalidOperationException("two tasks run as the same worker");
            }

            Thread.SpinWait(200);
            Interlocked.Exchange(ref Busy[worker], 0);
        }
    }

    private struct ThrowJob : IJob
    {
        public int Task;

        public readonly void Run(int task, int worker)
        {
            if (task == Task)
            {
                throw new InvalidOperationException($"task {task}");
            }
        }
    }
}
