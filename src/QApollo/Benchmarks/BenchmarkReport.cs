using QApollo.Reports;
using QApollo.Training;

namespace QApollo.Benchmarks;

/// <summary>Operations of equal work within a step.</summary>
/// <param name="CountPerStep">How often a step runs them.</param>
/// <param name="MedianSeconds">Of one of them.</param>
/// <param name="SecondsPerStep">Of all of them: the median times the count.</param>
/// <param name="Share">Of the time that all operations of a step take, 0 to 1.</param>
public sealed record BenchmarkRow(OperationWork Work, double CountPerStep, double MedianSeconds, double SecondsPerStep, double Share)
{
    /// <summary>Held against the matrix peak; otherwise against the copy bandwidth.</summary>
    public bool IsArithmetic => Work.Kind is WorkKind.Product or WorkKind.Attention;

    /// <summary>FLOP/s of products and attention, bytes per second of passes; 0 for transfers.</summary>
    public double Rate => (IsArithmetic ? Work.Flops : Work.Bytes) / MedianSeconds;
}

/// <summary>A step's speed with some number of threads.</summary>
public sealed record ThreadSpeed(int Threads, double TokensPerSecond);

/// <summary>Where the time of a training step goes, and how far each operation is from what the device can do.</summary>
public sealed record BenchmarkReport
{
    public required string Model { get; init; }

    /// <summary>The device in words.</summary>
    public required string Device { get; init; }

    /// <summary>The device as a card with known limits; null for others.</summary>
    public Memory.Card? Card { get; init; }

    public required StepShape Shape { get; init; }

    /// <summary>Steps whose operations were timed.</summary>
    public required int Steps { get; init; }

    /// <summary>Processor time was counted instead of elapsed time.</summary>
    public required bool IsProcessorTime { get; init; }

    /// <summary>What the matrix peak is the best of.</summary>
    public required string PeakSource { get; init; }

    /// <summary>FLOP/s.</summary>
    public required double MatrixPeak { get; init; }

    /// <summary>FLOP/s of the median repetition; see <see cref="DevicePeaks.MedianMatrixFlops"/>.</summary>
    public required double MedianMatrixPeak { get; init; }

    /// <summary>Bytes per second, read and written.</summary>
    public required double CopyBandwidth { get; init; }

    /// <summary>Seconds between two marks with nothing between them: what timing itself takes of each operation.</summary>
    public required double TimingSeconds { get; init; }

    /// <summary>The longest first.</summary>
    public required IReadOnlyList<BenchmarkRow> Rows { get; init; }

    /// <summary>Of undisturbed steps; the last entry is the device as it was asked for.</summary>
    public required IReadOnlyList<ThreadSpeed> Speeds { get; init; }

    public double TokensPerSecond => Speeds[^1].TokensPerSecond;

    /// <summary>The sum over all operations, each with its median.</summary>
    public double OperationSeconds => Rows.Sum(row => row.SecondsPerStep);

    /// <summary>Seconds of one of the row's operations as predicted for the card; null without one, and for transfers.</summary>
    public double? PredictedSeconds(BenchmarkRow row) =>
        Card is null || row.Work.Kind == WorkKind.Transfer ? null : StepPrediction.Predict(row.Work, Card).Seconds;

    /// <summary>Seconds of a step in which operations waited for transfers; null where there are none.</summary>
    public double? TransferWaitSeconds => Rows.Any(row => OperationWork.IsTransferWait(row.Work.Operation))
        ? Rows.Where(row => OperationWork.IsTransferWait(row.Work.Operation)).Sum(row => row.SecondsPerStep)
        : null;

    /// <summary>The row's rate over the peak or the bandwidth.</summary>
    public double ShareOfLimit(BenchmarkRow row) => row.Rate / (row.IsArithmetic ? MatrixPeak : CopyBandwidth);
}
