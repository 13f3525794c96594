using System.Text;
using QApollo.Devices;

namespace QApollo.Cuda.Management;

/// <summary>Temperature, power, clocks and energy of a card, and who else computes on it, as NVIDIA's management library tells them.</summary>
public sealed unsafe class CardSensors : IDeviceSensors
{
    /// <summary>Processes of which the driver has samples; no more are asked for.</summary>
    private const int MostProcesses = 256;

    private readonly NvmlTable _nvml;
    private readonly nint _card;
    private readonly NvmlTable.ProcessUtilization[] _processes = new NvmlTable.ProcessUtilization[MostProcesses];
    private ulong _seen;
    private bool _isClosed;

    private CardSensors(NvmlTable nvml, nint card) => (_nvml, _card) = (nvml, card);

    /// <param name="pciBusId">As the CUDA driver has it (CudaCard.PciBusId): the two libraries may count cards in another order.</param>
    /// <param name="library">The file of NVML; null to search.</param>
    /// <returns>Null where there is no such library, or it does not know the card.</returns>
    public static CardSensors? TryOpen(string pciBusId, string? library = null)
    {
        if (pciBusId.Length == 0 || NvmlLibrary.Start(library) is not { } nvml)
        {
            return null;
        }

        nint card;
        fixed (byte* id = Encoding.ASCII.GetBytes(pciBusId + '\0'))
        {
            if (nvml.DeviceByPciBusId(id, &card) == 0)
            {
                return new CardSensors(nvml, card);
            }
        }

        Shutdown(nvml);
        return null;
    }

    public SensorReading Read()
    {
        uint temperature = 0, milliwatts = 0, clock = 0, memoryClock = 0;
        ulong millijoules = 0;
        return new SensorReading(
            _nvml.Temperature != null && _nvml.Temperature(_card, NvmlTable.TemperatureOfGpu, &temperature) == 0 ? temperature : double.NaN,
            _nvml.PowerUsage != null && _nvml.PowerUsage(_card, &milliwatts) == 0 ? milliwatts / 1e3 : double.NaN,
            _nvml.ClockInfo != null && _nvml.ClockInfo(_card, NvmlTable.ClockOfProcessors, &clock) == 0 ? clock : double.NaN,
            _nvml.ClockInfo != null && _nvml.ClockInfo(_card, NvmlTable.ClockOfMemory, &memoryClock) == 0 ? memoryClock : double.NaN,
            _nvml.TotalEnergy != null && _nvml.TotalEnergy(_card, &millijoules) == 0 ? millijoules / 1e3 : double.NaN);
    }

    /// <summary>Whether another process has computed on the card since the last call; null where the driver does not tell. Not for several threads at once.</summary>
    public bool? AreOthersAtWork()
    {
        const int NotFound = 6;
        if (_nvml.ProcessUtilizations == null)
        {
            return null;
        }

        uint count = MostProcesses;
        int status;
        fixed (NvmlTable.ProcessUtilization* processes = _processes)
        {
            status = _nvml.ProcessUtilizations(_card, processes, &count, _seen);
        }

        if (status != 0)
        {
            // Not found: no process has a sample that is newer.
            return status == NotFound ? false : null;
        }

        bool others = false;
        foreach (ref readonly NvmlTable.ProcessUtilization process in _processes.AsSpan(0, (int)Math.Min(count, MostProcesses)))
        {
            _seen = Math.Max(_seen, process.TimeStamp);
            others |= process.ProcessId != Environment.ProcessId && process.Processors > 0;
        }

        return others;
    }

    public void Dispose()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            Shutdown(_nvml);
        }
    }

    private static void Shutdown(NvmlTable nvml)
    {
        if (nvml.Shutdown != null)
        {
            _ = nvml.Shutdown();
        }
    }
}
