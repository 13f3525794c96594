using QApollo.Devices;

namespace QApollo.Cli.Views;

/// <summary>What stands before a run's first step.</summary>
/// <param name="Title">Model and device, on one line.</param>
/// <param name="MaxSteps">Updates of the whole run.</param>
/// <param name="PlannedBytes">What the plan says of the one device allocation.</param>
/// <param name="AllocatedBytes">What was allocated.</param>
/// <param name="ProcessBytes">Host memory in use now by the whole process, as the system says.</param>
/// <param name="Sensors">What those of the device show now; null for none.</param>
internal sealed record RunFacts(string Title, int MaxSteps, long PlannedBytes, long AllocatedBytes, Func<long> ProcessBytes, Func<SensorReading>? Sensors = null);
