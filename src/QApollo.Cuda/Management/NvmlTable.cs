using System.Runtime.InteropServices;

namespace QApollo.Cuda.Management;

/// <summary>
/// The functions of NVIDIA's management library that sensors need, by their exported names (nvml.h). Results are an nvmlReturn_t (0: success). Those that
/// a library lacks are null: what they tell is not known then.
/// </summary>
internal sealed unsafe class NvmlTable
{
    /// <summary>NVML_TEMPERATURE_GPU.</summary>
    public const int TemperatureOfGpu = 0;

    /// <summary>NVML_CLOCK_SM.</summary>
    public const int ClockOfProcessors = 1;

    /// <summary>NVML_CLOCK_MEM.</summary>
    public const int ClockOfMemory = 2;

    public readonly delegate* unmanaged<int> Init;
    public readonly delegate* unmanaged<int> Shutdown;
    public readonly delegate* unmanaged<byte*, nint*, int> DeviceByPciBusId;
    public readonly delegate* unmanaged<nint, int, uint*, int> Temperature;
    public readonly delegate* unmanaged<nint, uint*, int> PowerUsage;
    public readonly delegate* unmanaged<nint, int, uint*, int> ClockInfo;
    public readonly delegate* unmanaged<nint, ulong*, int> TotalEnergy;
    public readonly delegate* unmanaged<nint, ProcessUtilization*, uint*, ulong, int> ProcessUtilizations;

    public NvmlTable(nint library)
    {
        nint Export(string name) => NativeLibrary.TryGetExport(library, name, out nint address) ? address : 0;

        Init = (delegate* unmanaged<int>)Export("nvmlInit_v2");
        Shutdown = (delegate* unmanaged<int>)Export("nvmlShutdown");
        DeviceByPciBusId = (delegate* unmanaged<byte*, nint*, int>)Export("nvmlDeviceGetHandleByPciBusId_v2");
        Temperature = (delegate* unmanaged<nint, int, uint*, int>)Export("nvmlDeviceGetTemperature");
        PowerUsage = (delegate* unmanaged<nint, uint*, int>)Export("nvmlDeviceGetPowerUsage");
        ClockInfo = (delegate* unmanaged<nint, int, uint*, int>)Export("nvmlDeviceGetClockInfo");
        TotalEnergy = (delegate* unmanaged<nint, ulong*, int>)Export("nvmlDeviceGetTotalEnergyConsumption");
        ProcessUtilizations = (delegate* unmanaged<nint, ProcessUtilization*, uint*, ulong, int>)Export("nvmlDeviceGetProcessUtilization");
    }

    /// <summary>nvmlProcessUtilizationSample_t: percents of a moment.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ProcessUtilization
    {
        public uint ProcessId;

        /// <summary>Microseconds, by the clock of the driver.</summary>
        public ulong TimeStamp;

        public uint Processors;
        public uint Memory;
        public uint Encoder;
        public uint Decoder;
    }
}
