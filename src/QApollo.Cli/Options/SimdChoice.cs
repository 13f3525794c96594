using System.Diagnostics;
using QApollo.Cpu;

namespace QApollo.Cli.Options;

/// <summary>
/// --simd: the program again, in a process that the runtime keeps from using wider vector instructions. They cannot be
/// switched off in a process that runs: its code is compiled for them.
/// </summary>
internal static class SimdChoice
{
    public static OptionSpec<SimdLevel> Option { get; } = Spec.Choice(
        "--simd", "Run", "Vector instructions of the CPU device.", (SimdLevel)(-1), "the widest that the processor has",
        [("avx512", SimdLevel.Avx512), ("avx2", SimdLevel.Avx2), ("portable", SimdLevel.Portable)]);

    /// <summary>The exit code of the narrower process, which has done the command; null when this process is to do it.</summary>
    /// <exception cref="UsageException">The processor has no such instructions.</exception>
    public static int? RunNarrower(OptionValues values)
    {
        if (!values.IsGiven(Option) || values.Get(Option) == CpuFeatures.Level)
        {
            return null;
        }

        SimdLevel level = values.Get(Option);
        (string Variable, string Value)[] environment = [.. CpuFeatures.EnvironmentFor(level)];
        if (level > CpuFeatures.Level || environment.All(item => Environment.GetEnvironmentVariable(item.Variable) == item.Value))
        {
            throw new UsageException($"--simd: this processor has {CpuFeatures.Word(CpuFeatures.Level)}, not {CpuFeatures.Word(level)}");
        }

        // `dotnet qapollo.dll` needs its first argument again; the program's own starter does not.
        string[] arguments = Environment.GetCommandLineArgs();
        bool isHosted = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet";
        var start = new ProcessStartInfo(Environment.ProcessPath!, isHosted ? arguments : arguments[1..]);
        foreach ((string variable, string value) in environment)
        {
            start.Environment[variable] = value;
        }

        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
