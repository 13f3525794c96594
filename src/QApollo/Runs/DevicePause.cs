namespace QApollo.Runs;

/// <summary>Leaves the device to others after a step, for as long as the step took: half of the time, and only while others are at work there.</summary>
/// <param name="areOthersAtWork">Asked after each step; null: that is not known, and taken for true.</param>
/// <param name="wait">Returns after the time, or when the token is cancelled; by default it sleeps.</param>
public sealed class DevicePause(Func<bool?> areOthersAtWork, Action<TimeSpan, CancellationToken>? wait = null)
{
    private readonly Action<TimeSpan, CancellationToken> _wait = wait ?? ((time, stop) => stop.WaitHandle.WaitOne(time));

    /// <summary>All pauses so far.</summary>
    public TimeSpan Total { get; private set; }

    /// <param name="step">How long it took.</param>
    /// <param name="stop">Ends the pause.</param>
    public void After(TimeSpan step, CancellationToken stop)
    {
        if (areOthersAtWork() ?? true)
        {
            Total += step;
            _wait(step, stop);
        }
    }
}
