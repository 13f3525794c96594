namespace QApollo.Memory;

/// <summary>A stretch of the rehearsed run: "forward" of a layer, "loss", "backward" of a layer, ...</summary>
/// <param name="Layer">-1 where it is not a layer's.</param>
/// <param name="FirstOperation">Number of its first operation; it ends where the next phase begins.</param>
public readonly record struct PlanPhase(string Name, int Layer, int FirstOperation)
{
    public override string ToString() => Layer < 0 ? Name : $"{Name} of layer {Layer}";
}

/// <summary>Notes while a run is rehearsed which operations belong to what.</summary>
public sealed class PhaseLog
{
    private readonly Func<int> _operations;
    private readonly List<PlanPhase> _phases = [];

    /// <param name="operations">How many operations there were so far.</param>
    internal PhaseLog(Func<int> operations) => _operations = operations;

    public IReadOnlyList<PlanPhase> Phases => _phases;

    /// <summary>The operations from here on belong to this phase.</summary>
    public void Begin(string name, int layer = -1) => _phases.Add(new PlanPhase(name, layer, _operations()));
}
