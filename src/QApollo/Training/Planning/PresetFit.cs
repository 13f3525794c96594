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
        .. LlamaPresets.All.Reverse().Select(preset => TryFit(preset, profile, budget, sequenceLength)).OfType<PresetFit>().Take(count),
    ];

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
