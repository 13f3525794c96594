using System.Diagnostics;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Reports;

/// <summary>Measures how fast a device multiplies large square matrices: the peak that a step is held against.</summary>
public static class MatmulProbe
{
    private const int SmallestSize = 512;
    private const int LargestSize = 8192;
    private const int Repeats = 3;
    private const double EnoughSeconds = 0.1;

    /// <summary>FLOP/s of the fastest of a few products, of a size that takes long enough to time.</summary>
    /// <remarks>Takes device memory for three matrices and gives it back.</remarks>
    public static double Measure(IDevice device)
    {
        double best = 0;
        for (int size = SmallestSize; size <= LargestSize; size *= 2)
        {
            double seconds = Seconds(device, size);
            best = Math.Max(best, 2.0 * size * size * size / seconds);
            if (seconds > EnoughSeconds)
            {
                break;
            }
        }

        return best;
    }

    private static double Seconds(IDevice device, int size)
    {
        DeviceProfile profile = device.Profile;
        var table = new TensorTable();
        PlannedTensor input = table.Persistent("input", profile.ActivationDType, size, size, TensorCategory.Activations);
        PlannedTensor output = table.Persistent("output", profile.ActivationDType, size, size, TensorCategory.Activations);
        PlannedTensor values = table.Persistent("weight", DType.BF16, size, size, TensorCategory.Codes);
        PlannedTensor? expansion = table.Scratch(
            "expansion", profile.ExpandedWeightBytes(size, size, WeightUse.Forward), TensorCategory.Workspace, persistent: true);
        var request = new WorkspaceRequest(new AttentionShape(1, size, size, 1, 1, 64), size, size);
        PlannedTensor? workspace = table.Scratch("workspace", profile.WorkspaceBytes(request), TensorCategory.Workspace, persistent: true);

        WeightMatrix Weight() => new(values) { ForwardExpansion = expansion?.View ?? default };
        void Prepare(IDevice target)
        {
            target.Fill(input, 0.5f);
            target.Fill(values, 0.5f);
            if (expansion is not null)
            {
                target.ExpandWeight(new WeightMatrix(values), WeightUse.Forward, expansion);
            }
        }

        var plan = MemoryPlan.Make(table, profile, rehearsal =>
        {
            Prepare(rehearsal);
            rehearsal.LinearForward(input, Weight(), output);
        });
        using var arena = new Arena(device, plan);
        if (workspace is not null)
        {
            device.UseWorkspace(workspace);
        }

        Prepare(device);
        double fastest = double.PositiveInfinity;
        for (int repeat = 0; repeat <= Repeats; repeat++)
        {
            device.Synchronize();
            long start = Stopwatch.GetTimestamp();
            device.LinearForward(input, Weight(), output);
            device.Synchronize();

            // The first product warms up code and clocks.
            fastest = repeat == 0 ? fastest : Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return fastest;
    }
}
