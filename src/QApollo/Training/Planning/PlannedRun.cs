namespace QApollo.Training.Planning;

/// <summary>Options that fit a budget.</summary>
/// <param name="Layout">The run that they make, planned to the byte.</param>
/// <param name="GivenUp">What was conceded to fit, in the order of the ladder; one entry for each time.</param>
public sealed record PlannedRun(TrainingLayout Layout, IReadOnlyList<Concession> GivenUp)
{
    public TrainingOptions Options => Layout.Options;

    public Footprint Footprint { get; } = Footprint.Of(Layout);
}

/// <summary>What would change if one more concession were made, or one were taken back.</summary>
/// <param name="IsTakenBack">It was made, and this is what it saved.</param>
/// <param name="IsPinned">The user decided it.</param>
/// <param name="DeviceBytes">Change of device memory; negative frees.</param>
/// <param name="HostBytes">Change of pinned and ordinary host memory; negative frees.</param>
public sealed record Alternative(Concession Concession, bool IsTakenBack, bool IsPinned, TrainingOptions Options, long DeviceBytes, long HostBytes);
