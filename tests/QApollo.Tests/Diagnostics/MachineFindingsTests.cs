using QApollo.Diagnostics;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Diagnostics;

public class MachineFindingsTests
{
    [Fact]
    public void The_disk_of_a_folder_that_is_not_there_yet_is_found()
    {
        using var folder = new TempFolder();
        Finding[] findings = [.. MachineFindings.Of(1000, folder.File(Path.Combine("runs", "new")))];
        Assert.True(findings.Single(finding => finding.Key == "diskFreeBytes").Number > 0);
        Assert.Equal(1000, findings.Single(finding => finding.Key == "memoryFreeBytes").Number);
        Assert.Equal(Environment.ProcessorCount, findings.Single(finding => finding.Key == "cores").Number);
    }
}
