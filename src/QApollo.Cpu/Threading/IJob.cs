namespace QApollo.Cpu.Threading;

/// <summary>Work cut into tasks that may run in any order and on any thread, without changing any result.</summary>
internal interface IJob
{
    /// <param name="task">0 .. tasks - 1.</param>
    /// <param name="worker">The thread's number, 0 .. threads - 1: selects per-thread scratch memory.</param>
    void Run(int task, int worker);
}
