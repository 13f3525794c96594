using QApollo.Training.Planning;

namespace QApollo.Diagnostics;

/// <summary>One fact about a machine or a device.</summary>
/// <param name="Key">Its name for programs.</param>
/// <param name="Text">For people.</param>
/// <param name="Number">For programs, where the text says a number.</param>
public sealed record Finding(string Key, string Label, string Text, long? Number = null)
{
    /// <summary>A number of bytes.</summary>
    public static Finding OfBytes(string key, string label, long bytes) => new(key, label, Memory.ByteSize.Format(bytes), bytes);
}

/// <summary>What is known of one device, and whether it computes what it should.</summary>
/// <param name="Device">As `--device` takes it.</param>
/// <param name="Problem">Why it cannot be used, and what to do; null when it can.</param>
public sealed record DeviceDiagnosis(string Device, string Name, string? Problem)
{
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>What `--budget auto` would take; 0 when unknown.</summary>
    public long BudgetBytes { get; init; }

    /// <summary>Tokens per sequence of <see cref="Fits"/>.</summary>
    public int FitLength { get; init; }

    /// <summary>The largest presets that train in that budget, the largest first.</summary>
    public IReadOnlyList<PresetFit> Fits { get; init; } = [];

    /// <summary>Empty when the device cannot be used.</summary>
    public IReadOnlyList<SelfTestCheck> Checks { get; init; } = [];

    public bool IsWorking => Problem is null && Checks.All(check => check.Passed);
}

/// <summary>What `qapollo doctor` found.</summary>
public sealed record DoctorReport
{
    public required IReadOnlyList<Finding> Machine { get; init; }

    /// <summary>The GPU driver and the libraries that a GPU would use.</summary>
    public required IReadOnlyList<Finding> GpuSoftware { get; init; }

    public required IReadOnlyList<DeviceDiagnosis> Devices { get; init; }

    /// <summary>What the user should know or do.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>The device that was asked for by name; null when all were.</summary>
    public string? AskedDevice { get; init; }

    /// <summary>No self-test failed, something can be used, and so can what was asked for.</summary>
    public bool IsHealthy =>
        Devices.All(device => device.IsWorking || device.Problem is not null)
        && Devices.Any(device => device.IsWorking && (AskedDevice is null || device.Device == AskedDevice));
}
