using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class DoctorCommandTests
{
    /// <summary>The self-test compares with a known course: each set of vector instructions computes the same model.</summary>
    [Theory]
    [InlineData("avx512", "")]
    [InlineData("avx2", "DOTNET_EnableAVX512")]
    [InlineData("portable", "DOTNET_EnableAVX2")]
    public void The_CPU_passes_its_test_with_all_vector_instructions(string widest, string switchedOff)
    {
        string[] arguments = ["doctor", "--device", "cpu", "--json"];
        ProcessResult result = switchedOff.Length == 0 ? QApolloProcess.Run(arguments) : QApolloProcess.RunWith((switchedOff, "0"), arguments);
        using var json = JsonDocument.Parse(result.Output);
        JsonElement root = json.RootElement;
        Assert.True(root.GetProperty("healthy").GetBoolean(), result.Output);
        Assert.Equal(0, result.ExitCode);
        string[] levels = ["portable", "avx2", "avx512"];
        Assert.InRange(Array.IndexOf(levels, root.GetProperty("machine").GetProperty("simd").GetString()), 0, Array.IndexOf(levels, widest));
        JsonElement device = Assert.Single(root.GetProperty("devices").EnumerateArray());
        Assert.True(device.GetProperty("selfTest").GetProperty("passed").GetBoolean());
        Assert.True(device.GetProperty("budgetBytes").GetInt64() > 0);
        Assert.NotEmpty(device.GetProperty("fits").EnumerateArray());
        Assert.True(root.GetProperty("machine").GetProperty("diskFreeBytes").GetInt64() > 0);
    }

    [Fact]
    public void The_text_tells_of_machine_driver_and_device()
    {
        ProcessResult result = QApolloProcess.Run("doctor", "--device", "cpu");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        foreach (string text in (string[])["operating system", "vector instructions", "NVIDIA driver", "cuBLASLt", "--budget auto", "largest presets, 1024 tokens", "passed, 2 checks"])
        {
            Assert.Contains(text, result.Output, StringComparison.Ordinal);
        }
    }

    [WithoutDriverFact]
    public void Without_a_driver_a_GPU_that_is_asked_for_fails_and_the_rest_is_healthy()
    {
        ProcessResult result = QApolloProcess.Run("doctor", "--device", "cuda", "--json");
        Assert.Equal(1, result.ExitCode);
        using var json = JsonDocument.Parse(result.Output);
        JsonElement device = Assert.Single(json.RootElement.GetProperty("devices").EnumerateArray());
        Assert.Equal("cuda:0", device.GetProperty("device").GetString());
        Assert.Contains("install the NVIDIA display driver", device.GetProperty("problem").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, QApolloProcess.Run("doctor").ExitCode);
    }

    [Fact]
    public void A_device_that_is_not_known_is_a_usage_error()
    {
        ProcessResult result = QApolloProcess.Run("doctor", "--device", "tpu");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains("--device: 'tpu' is not known", result.Error, StringComparison.Ordinal);
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutDriverFactAttribute : FactAttribute
    {
        public WithoutDriverFactAttribute()
        {
            if (NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out _))
            {
                Skip = "a CUDA driver is installed on this machine";
            }
        }
    }
}
