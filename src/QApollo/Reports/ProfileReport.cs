using QApollo.Training;

namespace QApollo.Reports;

/// <summary>A category as it was planned and as the run used it.</summary>
public sealed record PlannedAndMeasured(string Key, string Label, long Planned, long Measured);

/// <summary>What the device's driver says of its memory.</summary>
/// <param name="BeforeBytes">In use before the run allocated: the driver's context, and other programs.</param>
/// <param name="ArenaBytes">What the run's one allocation took.</param>
public sealed record DriverMemory(long BeforeBytes, long ArenaBytes, long TotalBytes);

/// <summary>A short run, measured beside its plan; one model behind the page, the JSON text and Markdown.</summary>
public sealed record ProfileReport
{
    public required MemoryReport Plan { get; init; }

    /// <summary>Device memory per category at the peak.</summary>
    public required IReadOnlyList<PlannedAndMeasured> Device { get; init; }

    public required IReadOnlyList<PlannedAndMeasured> PinnedHost { get; init; }

    /// <summary>The device arena: its planned size, and the highest byte that an operation touched.</summary>
    public required PlannedAndMeasured Arena { get; init; }

    /// <summary>Null where the device has no driver of its own.</summary>
    public DriverMemory? Driver { get; init; }

    /// <summary>Memory of the process while it trained, and at its highest, in bytes.</summary>
    public required (long Bytes, long PeakBytes) Process { get; init; }

    /// <summary>Bytes that a step allocates on the managed heap, on all threads; the median of the measured steps.</summary>
    public required long ManagedBytesPerStep { get; init; }

    /// <summary>Steps that the speed is measured over.</summary>
    public required int Steps { get; init; }

    public required double TokensPerSecond { get; init; }

    /// <summary>Of one step, the longest first.</summary>
    public required IReadOnlyList<OperationTime> Operations { get; init; }

    /// <summary>Seconds of one step in which operations waited for transfers; null where there are none.</summary>
    public double? TransferWaitSeconds => Operations.Any(operation => OperationWork.IsTransferWait(operation.Operation))
        ? Operations.Where(operation => OperationWork.IsTransferWait(operation.Operation)).Sum(operation => operation.Seconds)
        : null;

    /// <summary>Of each layer, in the last measured step; the tokens are random, so only the cost of it is that of a run.</summary>
    public required IReadOnlyList<LayerHealth> Health { get; init; }

    /// <summary>FLOP/s of large products on this device.</summary>
    public required double MatmulPeak { get; init; }

    /// <summary>Necessary FLOP per token; see <see cref="SpeedOfLight.FlopsPerToken"/>.</summary>
    public required double FlopsPerToken { get; init; }

    /// <summary>Necessary FLOP/s over the measured peak, 0 to 1.</summary>
    public double ShareOfPeak => FlopsPerToken * TokensPerSecond / MatmulPeak;
}
