using System.Diagnostics;
using QApollo.Devices;

namespace QApollo.Reports;

/// <summary>Times a device from the host, which waits for it at every mark; exact where operations have finished when their call returns.</summary>
/// <param name="processorTime">
/// Count the processor time of the process instead of elapsed time: for one thread on a machine that others use too.
/// </param>
public sealed class HostClock(IDevice device, bool processorTime = false) : IOperationClock
{
    private readonly List<double> _marks = [];

    /// <summary>The device's own clock where it has one.</summary>
    public static IOperationClock Of(IDevice device) => device as IOperationClock ?? new HostClock(device);

    public int Mark()
    {
        device.Synchronize();
        _marks.Add(processorTime ? Environment.CpuUsage.TotalTime.TotalSeconds : Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency);
        return _marks.Count - 1;
    }

    public double Seconds(int first, int second) => _marks[second] - _marks[first];

    public void ClearMarks() => _marks.Clear();
}
