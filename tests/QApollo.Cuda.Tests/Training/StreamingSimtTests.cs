using QApollo.Cuda.Tests.Simt;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>Layers that wait in host memory leave the bytes of layers on the device; a copy that nothing waits for would be stale.</summary>
public sealed class StreamingSimtTests
{
    private readonly SimtCopy _simt = SimtCopy.Of<StreamingSimtTests>();

    public static TheoryData<string> Courses => [.. StreamingCourse.All.Select(course => course.Name)];

    [Theory]
    [MemberData(nameof(Courses))]
    public void Every_byte_is_that_of_layers_on_the_device(string name) =>
        StreamingCourse.All.Single(course => course.Name == name).AssertEqualsPlain(() => _simt.Library.Open());
}
