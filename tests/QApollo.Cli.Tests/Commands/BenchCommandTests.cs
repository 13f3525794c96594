using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class BenchCommandTests
{
    [Fact]
    public void Every_kind_of_operation_of_a_step_has_its_rate()
    {
        using var run = new TinyRun();
        ProcessResult result = Bench(run, "--threads", "2", "--json");
        Assert.Equal(0, result.ExitCode);
        using var json = JsonDocument.Parse(result.Output);
        JsonElement[] rows = [.. json.RootElement.GetProperty("operations").EnumerateArray()];
        foreach (string operation in (string[])["linear forward", "linear input gradient", "linear weight gradient", "attention forward", "attention backward"])
        {
            Assert.All(rows.Where(row => row.GetProperty("operation").GetString() == operation), row => Assert.True(row.GetProperty("flopsPerSecond").GetDouble() > 0));
            Assert.Contains(rows, row => row.GetProperty("operation").GetString() == operation);
        }

        Assert.Contains(rows, row => row.GetProperty("kind").GetString() == "update" && row.GetProperty("bytesPerSecond").GetDouble() > 0);
        Assert.Equal(1, rows.Sum(row => row.GetProperty("share").GetDouble()), 6);
        Assert.True(json.RootElement.GetProperty("matrixPeakFlops").GetDouble() > 0);
        Assert.Equal([1, 2], json.RootElement.GetProperty("threads").EnumerateArray().Select(speed => speed.GetProperty("threads").GetInt32()));
    }

    [Fact]
    public void The_table_shows_what_the_filter_asks_for_in_processor_time()
    {
        using var run = new TinyRun();
        ProcessResult result = Bench(run, "--threads", "1", "--processor-time", "--filter", "attention");
        Assert.Equal(0, result.ExitCode);
        string[] lines = result.Output.Split('\n');
        string table = string.Join('\n', lines.SkipWhile(line => !line.StartsWith("Operations of a step", StringComparison.Ordinal)));
        Assert.Contains("attention backward  batch 2, T 16, heads 2/1, D 16", table, StringComparison.Ordinal);
        Assert.DoesNotContain("linear", table, StringComparison.Ordinal);
        Assert.Contains("processor time", result.Output, StringComparison.Ordinal);
    }

    [ProcessorWithAvx2Theory]
    [InlineData("avx2")]
    [InlineData("portable")]
    public void Narrower_vector_instructions_can_be_forced(string level)
    {
        using var run = new TinyRun();
        ProcessResult result = Bench(run, "--threads", "1", "--simd", level, "--json");
        Assert.Equal(0, result.ExitCode);
        using var json = JsonDocument.Parse(result.Output);
        Assert.EndsWith($"1 thread, {level}", json.RootElement.GetProperty("device").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--processor-time", "--threads", "2", "--processor-time: several threads share it")]
    [InlineData("--simd", "mmx", "--json", "--simd: 'mmx' is not valid; it takes avx512, avx2, portable")]
    [InlineData("--steps", "0", "--json", "--steps: '0' is not valid")]
    public void Bad_input_is_one_clear_line_and_exit_code_2(string first, string second, string third, string message)
    {
        ProcessResult result = QApolloProcess.Run("bench", first, second, third);
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private static ProcessResult Bench(TinyRun run, params string[] more) =>
        QApolloProcess.Run(["bench", "--model", run.ModelPath, "--batch-size", "2", "--seq-len", "16", "--steps", "1", .. more]);

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class ProcessorWithAvx2TheoryAttribute : TheoryAttribute
    {
        public ProcessorWithAvx2TheoryAttribute()
        {
            if (!Avx2.IsSupported)
            {
                Skip = "this processor has no AVX2";
            }
        }
    }
}
