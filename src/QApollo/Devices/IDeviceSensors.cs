using System.Globalization;

namespace QApollo.Devices;

/// <summary>What a device's sensors show at a moment; NaN where it has no such sensor.</summary>
/// <param name="Temperature">Degrees Celsius.</param>
/// <param name="Power">Watts.</param>
/// <param name="Clock">Of the processors, in MHz.</param>
/// <param name="MemoryClock">In MHz.</param>
/// <param name="Energy">Joules since some moment in the past, as the device counts them.</param>
public readonly record struct SensorReading(double Temperature, double Power, double Clock, double MemoryClock, double Energy)
{
    /// <summary>"63 °C, 212 W, 1,860 MHz", without what is not known; empty if nothing is.</summary>
    public override string ToString()
    {
        (double Value, string Unit)[] parts = [(Temperature, "°C"), (Power, "W"), (Clock, "MHz")];
        return string.Join(", ", parts.Where(part => !double.IsNaN(part.Value)).Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Value:N0} {part.Unit}")));
    }
}

/// <summary>The sensors of a device, beside its work: any thread may read them.</summary>
public interface IDeviceSensors : IDisposable
{
    /// <summary>Takes microseconds to milliseconds. A sensor that fails reads NaN.</summary>
    SensorReading Read();
}
