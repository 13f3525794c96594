using QApollo.Cuda.Tests.Simt;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>No kernel of a step writes beyond its tensors.</summary>
public sealed class ArenaWatchSimtTests
{
    public static TheoryData<string> Courses => [.. ParityCourse.All.Where(course => !course.IsWide).Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Every_operation_leaves_alone_what_it_does_not_write(string course)
    {
        // A graph runs its operations later than they are asked for.
        using CudaDevice device = SimtLibrary.Default.Open(new CudaOptions { UseGraphs = false });
        IReadOnlySet<string> operations = ArenaWatch.Run(ParityCourse.All.Single(candidate => candidate.Name == course), device);
        Assert.Superset(new HashSet<string>(["attention backward", "linear weight gradient", "swiglu forward", "cross-entropy backward"]), operations.ToHashSet());
    }
}
