using QApollo.Memory;

namespace QApollo.Reports;

/// <summary>Live device bytes at one moment of the step.</summary>
/// <param name="Operation">The operation of the largest total within the piece that the point stands for.</param>
/// <param name="Bytes">Per category, in the order of <see cref="TensorCategories.All"/>.</param>
public sealed record TimelinePoint(int Operation, IReadOnlyList<long> Bytes);

/// <summary>A part of the step, in the numbers of the timeline's points.</summary>
public sealed record TimelinePart(string Name, int FirstPoint, int EndPoint);

/// <summary>
/// Device memory over the operations of one step. Long steps are cut into pieces of equal length, each shown by its
/// highest moment, so the peak is never lost.
/// </summary>
public sealed record StepTimeline(IReadOnlyList<TimelinePoint> Points, IReadOnlyList<TimelinePart> Parts)
{
    private const int MaxPoints = 480;

    public static StepTimeline Of(MemoryPlan plan)
    {
        (int first, int end) = StepOperations(plan);
        int points = Math.Min(MaxPoints, end - first);
        int Start(int point) => first + (int)((long)point * (end - first) / points);

        var timeline = new TimelinePoint[points];
        for (int point = 0; point < points; point++)
        {
            int highest = Start(point);
            for (int operation = highest + 1; operation < Start(point + 1); operation++)
            {
                highest = plan.DeviceUsage.TotalAt(operation) > plan.DeviceUsage.TotalAt(highest) ? operation : highest;
            }

            timeline[point] = new TimelinePoint(highest, [.. TensorCategories.All.Select(category => plan.DeviceUsage.At(category, highest))]);
        }

        int PointOf(int operation) => (int)Math.Min(points, (long)(operation - first) * points / (end - first));
        return new StepTimeline(timeline, [.. PartsOf(plan, end).Select(part => new TimelinePart(part.Name, PointOf(part.First), PointOf(part.End)))]);
    }

    /// <summary>Everything between initialization and evaluation.</summary>
    private static (int First, int End) StepOperations(MemoryPlan plan)
    {
        PlanPhase[] step = [.. plan.Phases.Where(phase => phase.Name is not ("initialization" or "evaluation"))];
        int afterStep = plan.Phases.FirstOrDefault(phase => phase.Name == "evaluation").FirstOperation;
        return step.Length == 0 ? (0, plan.Operations.Count) : (step[0].FirstOperation, afterStep > 0 ? afterStep : plan.Operations.Count);
    }

    /// <summary>The phases of all layers in a row are one part.</summary>
    private static List<(string Name, int First, int End)> PartsOf(MemoryPlan plan, int stepEnd)
    {
        var parts = new List<(string Name, int First, int End)>();
        foreach (PlanPhase phase in plan.Phases)
        {
            if (phase.Name is "initialization" or "evaluation" || (parts.Count > 0 && parts[^1].Name == phase.Name))
            {
                continue;
            }

            if (parts.Count > 0)
            {
                parts[^1] = parts[^1] with { End = phase.FirstOperation };
            }

            parts.Add((phase.Name, phase.FirstOperation, stepEnd));
        }

        return parts;
    }
}
