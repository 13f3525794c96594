using QApollo.Devices;

namespace QApollo.Runs;

/// <summary>
/// Reads a device's sensors every second beside the run, which only takes the last reading: a step waits for none. The energy is the device's own count, or else
/// the power over time, by the trapezoidal rule.
/// </summary>
public sealed class SensorWatch : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly IDeviceSensors _sensors;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private SensorReading _latest;
    private long _readAt;
    private double _joules;
    private double _taken;
    private bool _isClosed;

    /// <param name="sensors">Stay the caller's; must outlive the watch.</param>
    /// <param name="clock">The system's, if null.</param>
    public SensorWatch(IDeviceSensors sensors, TimeProvider? clock = null)
    {
        (_sensors, _clock) = (sensors, clock ?? TimeProvider.System);
        (_latest, _readAt) = (sensors.Read(), _clock.GetTimestamp());
        _timer = _clock.CreateTimer(_ => Update(), null, Interval, Interval);
    }

    public SensorReading Latest
    {
        get
        {
            lock (_lock)
            {
                return _latest;
            }
        }
    }

    /// <summary>Since the watch began; NaN where the device tells neither energy nor power.</summary>
    public double Joules
    {
        get
        {
            lock (_lock)
            {
                return _joules;
            }
        }
    }

    /// <summary>The last reading, with the joules since the last call as its energy. Allocates nothing.</summary>
    public SensorReading Take()
    {
        lock (_lock)
        {
            double joules = _joules - _taken;
            _taken = _joules;
            return _latest with { Energy = joules };
        }
    }

    /// <summary>Reads now; what was used since the last reading counts.</summary>
    public void Update()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            SensorReading reading = _sensors.Read();
            long now = _clock.GetTimestamp();
            double counted = reading.Energy - _latest.Energy;

            // A counter that goes back began anew, with the driver.
            _joules += counted >= 0 ? counted : (_latest.Power + reading.Power) / 2 * _clock.GetElapsedTime(_readAt, now).TotalSeconds;
            (_latest, _readAt) = (reading, now);
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _isClosed = true;
        }
    }
}
