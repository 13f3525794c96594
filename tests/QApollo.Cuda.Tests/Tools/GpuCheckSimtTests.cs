using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace QApollo.Cuda.Tests.Tools;

/// <summary>The check of a real GPU works before there is one: script and check program run on the emulator.</summary>
public sealed class GpuCheckSimtTests : IDisposable
{
    private readonly GpuCheckScript _script = new();

    [WithPythonFact]
    public void Every_measurement_that_the_emulator_can_make_is_recorded()
    {
        int exitCode = _script.Run("operations,contract,parity,train,memory");
        Assert.True(exitCode == 0, _script.Output);
        Assert.All(_script.Results.GetProperty("sections").EnumerateObject(), section => Assert.Equal("done", section.Value.GetProperty("status").GetString()));
        Assert.InRange(_script.Section("contract").GetProperty("cases").GetInt32(), 50, int.MaxValue);
        Assert.True(_script.Section("train").GetProperty("resumedEqualsWhole").GetBoolean());
        JsonElement memory = _script.Section("memory").GetProperty("demo x32 in 4GiB");
        Assert.Equal(memory.GetProperty("plannedArenaBytes").GetInt64(), memory.GetProperty("driverArenaBytes").GetInt64());
        Assert.Equal(700L << 20, memory.GetProperty("peakDriverBytes").GetInt64());
        Assert.InRange(memory.GetProperty("left").GetInt64(), 4L << 30, (4L << 30) + (4 << 20));
        Assert.Equal("met", Target("planned against measured"));
        Assert.Equal("met", Target("every operation matches"));
        Assert.Equal("not measured", Target("7b step"));
    }

    [WithPythonFact]
    public void A_section_that_fails_is_told_and_leaves_the_others_their_turn()
    {
        Assert.Equal(1, _script.Run("operations,doctor,bench", check: "false"));
        Assert.Equal("failed", _script.Section("operations").GetProperty("status").GetString());
        Assert.NotEqual("running", _script.Section("bench").GetProperty("status").GetString());
    }

    [WithPythonFact]
    public void What_the_sanitizer_finds_fails_the_check()
    {
        Assert.Equal(0, _script.Run("sanitizer", check: "true"));
        Assert.Equal("met", Target("compute-sanitizer"));
        Assert.Equal(1, _script.Run("sanitizer", check: "true", sanitizerErrors: 2));
        Assert.Equal(8, _script.Section("sanitizer").GetProperty("errors").GetInt32());
        Assert.Equal("not met", Target("compute-sanitizer"));
    }

    [WithPythonFact]
    public void Targets_are_judged_by_what_was_measured()
    {
        Assert.Equal(0, Run("python3", "-B", Path.Combine("tests", "QApollo.Cuda.Tests", "Tools", "test_targets.py")));
    }

    [Fact]
    public void Stored_losses_are_those_of_the_cpu()
    {
        int exitCode = Run("dotnet", Path.Combine(AppContext.BaseDirectory, "qapollo-check.dll"), "parity", "--device", "cpu");
        Assert.True(exitCode == 0, "the CPU trains otherwise than when they were stored: run qapollo-check losses");
    }

    public void Dispose() => _script.Dispose();

    private static int Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = Repository.Root })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private string? Target(string beginning) => _script.Results.GetProperty("targets").EnumerateArray()
        .Single(target => target.GetProperty("target").GetString()!.StartsWith(beginning, StringComparison.Ordinal)).GetProperty("status").GetString();

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithPythonFactAttribute : FactAttribute
    {
        public WithPythonFactAttribute()
        {
            string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, "python3"))))
            {
                Skip = "python3 was not found";
            }
        }
    }
}
