using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;

namespace QApollo.Training.Planning;

/// <summary>A preset that a budget is enough for.</summary>
/// <param name="GivenUp">What was conceded to fit; one entry for each time.</param>
public sealed record PresetFit(LlamaPreset Preset, Footprint Footprint, IReadOnlyList<Concession> GivenUp)
{
    /// <summary>The largest presets that train in the budget, one sequence at a time, with default options otherwise.</summary>
    /// <param name="count">As many as that, if there are.</param>
    public static IReadOnlyList<PresetFit> Largest(DeviceProfile profile, MemoryBudget budget, int sequenceLength, int count) =>
    [
        .. LlamaPresets.All.Reverse().Where(preset => CanFit(preset, profile, budget)).Select(preset => TryFit(preset, profile, budget, sequenceLength)).OfType<PresetFit>().Take(count),
    ];

    /// <summary>A byte for each parameter is the least there is, wherever it lives: what has more is not planned at all.</summary>
    private static bool CanFit(LlamaPreset preset, DeviceProfile profile, MemoryBudget budget) =>
        preset.Config.ParameterCount <= budget.DeviceBytes + (profile.ComputesInHostMemory ? 0 : (double)budget.HostBytes);

    private static PresetFit? TryFit(LlamaPreset preset, DeviceProfile profile, MemoryBudget budget, int sequenceLength)
    {
        var options = new TrainingOptions
        {
            Model = preset.Config,
            Shape = new StepShape(BatchSize: 1, sequenceLength, GradAccum: 1),
            Schedule = new LearningRateSchedule(ScheduleKind.Constant, preset.LearningRate, TotalSteps: 1),
        };
        try
        {
            PlannedRun run = new MemoryPlanner(profile, budget, new HashSet<MemoryChoice>()).Plan(options, preset.Name);
            return new PresetFit(preset, run.Footprint, run.GivenUp);
        }
        catch (RunFailedException)
        {
            return null;
        }
    }
}
