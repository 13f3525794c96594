namespace QApollo.Cuda.Driver;

/// <summary>
/// Tells, once, that the driver compiles kernels. It does not say so itself; those that it has kept from an earlier start, some dozens, it
/// loads in a few milliseconds each.
/// </summary>
/// <param name="time">The system's, if null.</param>
internal sealed class CompilationNotice(Action? tell, TimeProvider? time = null)
{
    /// <summary>Loading that takes longer, all kernels together, is compiling.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(0.25);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private Action? _tell = tell;
    private TimeSpan _spent;
    private long _start;

    /// <summary>A kernel is about to be loaded.</summary>
    public void Begin()
    {
        if (_tell is not null && _spent > Patience)
        {
            _tell();
            _tell = null;
        }

        _start = _time.GetTimestamp();
    }

    /// <summary>It is loaded.</summary>
    public void End() => _spent += _time.GetElapsedTime(_start);
}
