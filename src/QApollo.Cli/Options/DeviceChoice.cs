using System.Globalization;
using QApollo.Cpu;
using QApollo.Cuda;
using QApollo.Devices;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The device that --device names: its sizes, the device itself, and what memory it has free.</summary>
internal sealed class DeviceChoice
{
    private readonly string _text;
    private readonly int _threads;
    private readonly int _ordinal = -1;

    /// <param name="defaultText">What counts when --device is not given.</param>
    /// <exception cref="UsageException">There is no such device.</exception>
    public DeviceChoice(OptionValues values, string defaultText)
    {
        _text = values.IsGiven(T.Device) ? values.Get(T.Device) : defaultText;
        _threads = values.Get(DataOptionTable.Threads);
        string[] parts = _text.Split(':');
        bool isCuda = parts[0] == "cuda" && parts.Length <= 2;
        string ordinal = parts.Length == 2 ? parts[1] : "0";
        if (isCuda && int.TryParse(ordinal, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            _ordinal = number;
        }
        else if (_text != "cpu")
        {
            throw new UsageException($"--device: '{_text}' is not known; it takes cpu, cuda, or cuda:0, cuda:1, ...");
        }
    }

    /// <summary>What the memory plan must know; asks no driver.</summary>
    public DeviceProfile Profile => _ordinal >= 0 ? new CudaProfile() : new CpuProfile(_threads == 0 ? Environment.ProcessorCount : _threads);

    public IDevice Open() => _ordinal >= 0 ? CudaDevice.Open(_ordinal) : new CpuDevice(_threads);

    /// <summary>Bytes that a plan may take now, the driver's context included.</summary>
    public long FreeBytes()
    {
        if (_ordinal < 0)
        {
            return FreeHostBytes();
        }

        // The driver counts after it made a context here, which the plan counts too.
        using var device = CudaDevice.Open(_ordinal);
        return device.MemoryInfo().Free + device.Profile.ContextBytes;
    }

    /// <summary>Ordinary memory that is free on this machine, or under the limit of its container.</summary>
    public static long FreeHostBytes()
    {
        // The first collection fills the figures.
        GC.Collect(0);
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes);
    }
}
