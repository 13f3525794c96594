using QApollo.Devices;
using Xunit;

namespace QApollo.Cuda.Tests;

public class CudaProfileTests
{
    [Theory]
    [InlineData(64, 2 << 20)]
    [InlineData(4096, 256L * 4096 * 4)]
    public void Workspace_holds_the_largest_partial_sums(int hidden, long expected)
    {
        var request = new WorkspaceRequest(new AttentionShape(1, 256, 256, 32, 32, 128), hidden, 32000);
        Assert.Equal(expected, new CudaProfile().WorkspaceBytes(request));
    }

    [Fact]
    public void CublasLt_needs_one_dense_copy_and_a_workspace()
    {
        var profile = new CudaProfile(usesCublasLt: true);
        Assert.Equal(2L * 4096 * 11008, profile.ExpandedWeightBytes(4096, 11008, WeightUse.Forward));
        Assert.True(profile.SharesExpansions);
        Assert.Equal(8 << 20, profile.WorkspaceBytes(new WorkspaceRequest(new AttentionShape(1, 256, 256, 32, 32, 128), 64, 32000)));
    }

    [Fact]
    public void Products_read_the_stored_codes()
    {
        Assert.Equal(0, new CudaProfile().ExpandedWeightBytes(4096, 11008, WeightUse.Forward));
    }
}
