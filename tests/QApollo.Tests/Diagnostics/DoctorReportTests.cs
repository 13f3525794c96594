using System.Text.Json;
using QApollo.Diagnostics;
using Xunit;

namespace QApollo.Tests.Diagnostics;

public class DoctorReportTests
{
    private static readonly DeviceDiagnosis Good = new("cpu", "a processor", null) { Checks = [new SelfTestCheck("training", 0.001, 0.002)] };
    private static readonly DeviceDiagnosis Wrong = new("cuda:0", "a card", null) { Checks = [new SelfTestCheck("product", 0.5, 0.002), new SelfTestCheck("other", 0, 1)] };
    private static readonly DeviceDiagnosis Old = new("cuda:1", "an old card", "the card is too old");

    [Fact]
    public void A_card_that_cannot_be_used_is_no_fault_unless_it_was_asked_for()
    {
        Assert.True(Report(null, Good).IsHealthy);
        Assert.True(Report(null, Good, Old).IsHealthy);
        Assert.False(Report("cuda:1", Old).IsHealthy);
        Assert.False(Report(null, Old).IsHealthy);
    }

    [Fact]
    public void A_device_that_computes_wrong_values_is_a_fault_always()
    {
        Assert.False(Report(null, Good, Wrong).IsHealthy);
        Assert.False(Report("cuda:0", Wrong).IsHealthy);
        Assert.False(new SelfTestCheck("not a number", double.NaN, 1).Passed);
        Assert.False(new SelfTestCheck("broken off", 0, 1, "the driver failed").Passed);
    }

    [Fact]
    public void Text_and_JSON_tell_what_failed()
    {
        Assert.Contains(DoctorText.DeviceRows(Wrong), row => row is ["self-test", "FAILED: 1 of 2 checks"]);
        Assert.Contains(DoctorText.DeviceRows(Wrong), row => row[0] == "failed: product" && row[1].StartsWith("off by 0.5, allowed 0.002", StringComparison.Ordinal));
        Assert.Contains(DoctorText.DeviceRows(Old), row => row is ["cannot be used", "the card is too old"]);
        using var json = JsonDocument.Parse(DoctorReportJson.ToUtf8(Report(null, Good, Wrong, Old)));
        JsonElement[] devices = [.. json.RootElement.GetProperty("devices").EnumerateArray()];
        Assert.False(json.RootElement.GetProperty("healthy").GetBoolean());
        Assert.Equal(1L << 30, json.RootElement.GetProperty("machine").GetProperty("memoryTotalBytes").GetInt64());
        Assert.False(devices[1].GetProperty("selfTest").GetProperty("passed").GetBoolean());
        Assert.Equal("the card is too old", devices[2].GetProperty("problem").GetString());
        Assert.False(devices[2].GetProperty("usable").GetBoolean());
    }

    private static DoctorReport Report(string? asked, params DeviceDiagnosis[] devices) => new()
    {
        Machine = [Finding.OfBytes("memoryTotalBytes", "memory", 1 << 30)],
        GpuSoftware = [],
        Devices = devices,
        Notes = [],
        AskedDevice = asked,
    };
}
