using QApollo.Files;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>Keeps what is reported, each of it sound.</summary>
internal sealed class Stages : IProgress<StageProgress>
{
    public List<StageProgress> Reports { get; } = [];

    /// <summary>In their order.</summary>
    public IEnumerable<string> Names => Reports.Select(report => report.Stage).Distinct();

    public void Report(StageProgress value)
    {
        Assert.InRange(value.Done, 0, value.Total);
        Reports.Add(value);
    }
}
