using QApollo.Devices;
using QApollo.Runs;
using Xunit;

namespace QApollo.Tests.Runs;

/// <summary>Readings and energy of a device, on a clock that a test moves.</summary>
public sealed class SensorWatchTests : IDisposable
{
    private readonly HandClock _clock = new();
    private readonly Shown _sensors = new();

    public void Dispose() => _sensors.Dispose();

    [Fact]
    public void The_devices_own_count_of_energy_is_taken()
    {
        _sensors.Reading = new SensorReading(60, 200, 1800, 7000, Energy: 1000);
        using var watch = new SensorWatch(_sensors, _clock);
        Assert.Equal(0, watch.Joules);
        Next(new SensorReading(61, 999, 1800, 7000, Energy: 1150));
        watch.Update();
        Assert.Equal((150.0, 61.0), (watch.Joules, watch.Latest.Temperature));
        Assert.Equal(new SensorReading(61, 999, 1800, 7000, 150), watch.Take());
        Assert.Equal(0, watch.Take().Energy);
        Next(new SensorReading(61, 999, 1800, 7000, Energy: 1160));
        watch.Update();
        Assert.Equal(10, watch.Take().Energy);
        Assert.Equal(160, watch.Joules);
    }

    [Fact]
    public void Without_one_the_power_over_time_counts()
    {
        _sensors.Reading = new SensorReading(60, 100, 1800, 7000, double.NaN);
        using var watch = new SensorWatch(_sensors, _clock);
        Next(new SensorReading(60, 200, 1800, 7000, double.NaN));
        watch.Update();
        Next(new SensorReading(60, 300, 1800, 7000, double.NaN));
        watch.Update();
        Assert.Equal((150 * 10) + (250 * 10), watch.Joules);
    }

    [Fact]
    public void A_count_that_began_anew_is_bridged_by_the_power()
    {
        _sensors.Reading = new SensorReading(60, 100, 1800, 7000, 5000);
        using var watch = new SensorWatch(_sensors, _clock);
        Next(new SensorReading(60, 100, 1800, 7000, 3));
        watch.Update();
        Assert.Equal(1000, watch.Joules);
    }

    [Fact]
    public void A_device_that_tells_neither_has_no_energy()
    {
        _sensors.Reading = new SensorReading(60, double.NaN, double.NaN, double.NaN, double.NaN);
        using var watch = new SensorWatch(_sensors, _clock);
        Next(_sensors.Reading);
        watch.Update();
        Assert.Equal((double.NaN, double.NaN, 60.0), (watch.Joules, watch.Take().Energy, watch.Take().Temperature));
    }

    [Fact]
    public void A_closed_watch_leaves_the_sensors_alone()
    {
        var watch = new SensorWatch(_sensors, _clock);
        watch.Dispose();
        _sensors.IsClosed = true;
        watch.Update();
    }

    [Fact]
    public void A_reading_names_what_is_known()
    {
        Assert.Equal("63 °C, 213 W, 1,860 MHz", new SensorReading(63, 212.5001, 1860, 7501, 1).ToString());
        Assert.Equal("63 °C", new SensorReading(63, double.NaN, double.NaN, 1, 1).ToString());
        Assert.Empty(new SensorReading(double.NaN, double.NaN, double.NaN, double.NaN, double.NaN).ToString());
    }

    private void Next(SensorReading reading)
    {
        _sensors.Reading = reading;
        _clock.Now += TimeSpan.FromSeconds(10);
    }

    private sealed class Shown : IDeviceSensors
    {
        public SensorReading Reading { get; set; }

        public bool IsClosed { get; set; }

        public SensorReading Read() => IsClosed ? throw new InvalidOperationException("read after the end") : Reading;

        public void Dispose()
        {
        }
    }

    /// <summary>Stands still until it is moved; its timers never ring.</summary>
    private sealed class HandClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Silent();

        private sealed class Silent : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
