namespace QApollo.Runs;

/// <summary>The wall-clock time that one session of a run may take, counted from the construction.</summary>
/// <param name="limit">More than zero.</param>
/// <param name="clock">The system's, if null.</param>
public sealed class SessionTime(TimeSpan limit, TimeProvider? clock = null)
{
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private readonly long _start = (clock ?? TimeProvider.System).GetTimestamp();

    public TimeSpan Limit => limit;

    public TimeSpan Elapsed => _clock.GetElapsedTime(_start);

    /// <summary>Whether a step that takes so long would end after the limit.</summary>
    public bool EndsBefore(TimeSpan step) => Elapsed + step > limit;
}
