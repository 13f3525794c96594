using QApollo.Devices;

namespace QApollo.Cpu.Operations;

/// <summary>What updates of groups add to the columns that <see cref="UpdateCount"/> names.</summary>
internal unsafe struct GroupCounts
{
    public long Changed;
    public long Codes;
    public long Moved;
    public long Lost;
    public long Regridded;
    public double NoiseSquares;
    public double MoveSquares;

    public void Add(in GroupCounts other)
    {
        Changed += other.Changed;
        Codes += other.Codes;
        Moved += other.Moved;
        Lost += other.Lost;
        Regridded += other.Regridded;
        NoiseSquares += other.NoiseSquares;
        MoveSquares += other.MoveSquares;
    }

    /// <summary>Adds a task's counts to the totals, whatever other tasks do meanwhile.</summary>
    public readonly void AddTo(long* totals)
    {
        if (Moved == 0)
        {
            return;
        }

        Interlocked.Add(ref totals[(int)UpdateCount.Changed], Changed);
        Interlocked.Add(ref totals[(int)UpdateCount.Codes], Codes);
        Interlocked.Add(ref totals[(int)UpdateCount.Moved], Moved);
        Interlocked.Add(ref totals[(int)UpdateCount.Lost], Lost);
        Interlocked.Add(ref totals[(int)UpdateCount.Regridded], Regridded);
        Interlocked.Add(ref totals[(int)UpdateCount.NoiseSquares], Fixed(NoiseSquares));
        Interlocked.Add(ref totals[(int)UpdateCount.MoveSquares], Fixed(MoveSquares));
    }

    private static long Fixed(double sum) => (long)(Math.Min(sum, UpdateCounts.LargestSum) * UpdateCounts.SquareUnit);
}
