using QApollo.Models;
using QApollo.Optimizers;
using QApollo.Reports;
using QApollo.TestSupport;
using QApollo.Training;
using QApollo.Training.Planning;
using Xunit;

namespace QApollo.Torch.Tests;

/// <summary>The plan of a Torch device, and what a step takes of it.</summary>
public sealed class MemoryTests
{
    [Fact]
    public void A_7B_plans_under_12_GB_on_a_GPU()
    {
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, 1, Devices.MemorySpace.Device, Devices.DType.F32).Options with
        {
            Model = LlamaPresets.Find("7b").Config,
            Shape = new StepShape(1, 256, 1),
            Memory = new MemoryOptions { Weights = new WeightFormats() },
        };
        var layout = new TrainingLayout(options, new TorchProfile(isCuda: true));
        Assert.InRange(layout.Plan.DeviceTotalBytes, 7_000_000_000, 12_000_000_000);
    }

    /// <summary>Temporaries too: they are cut from the planned workspace, which refuses to give more than it has.</summary>
    [Fact]
    public void A_step_takes_what_was_planned()
    {
        TrainingOptions options = new ParityCourse(OptimizerKind.ApolloMini, 2, Devices.MemorySpace.PinnedHost, Devices.DType.F32).Options;
        using TorchDevice device = TorchDevice.OpenCpu(threads: 2);
        var planner = new MemoryPlanner(device.Profile, MemoryBudget.None, new HashSet<MemoryChoice>());
        PlannedRun run = planner.Plan(options, "tiny");

        ProfileReport report = new Profiler(device).Run(options, MemoryReport.Of("tiny", run, MemoryBudget.None, []), steps: 1);

        Assert.Contains(report.Device, category => category.Key == "workspace" && category.Planned >= TorchProfile.SmallestWorkspace);
        Assert.All(report.Device.Concat(report.PinnedHost).Append(report.Arena), category => Assert.Equal(category.Planned, category.Measured));
    }
}
