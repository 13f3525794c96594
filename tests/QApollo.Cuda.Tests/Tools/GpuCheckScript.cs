using System.Diagnostics;
using System.Text.Json;
using QApollo.TestSupport;

namespace QApollo.Cuda.Tests.Tools;

/// <summary>Runs tools/gpu/check.py as on a machine with a GPU: the emulator is the driver, scripts stand in for NVIDIA's tools.</summary>
internal sealed class GpuCheckScript : IDisposable
{
    /// <summary>Generous: the machine may be busy.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly TempFolder _folder = new();

    public GpuCheckScript() => File.CreateSymbolicLink(_folder.File("libcuda.so.1"), Repository.SimtLibrary);

    /// <summary>What the script left in its result file.</summary>
    public JsonElement Results { get; private set; }

    public string Output { get; private set; } = "";

    /// <returns>The script's exit code.</returns>
    /// <param name="check">The check program as a command; by default the real one.</param>
    /// <param name="sanitizerErrors">What the stand-in of compute-sanitizer claims to have found.</param>
    public int Run(string sections, string? check = null, int sanitizerErrors = 0)
    {
        string results = _folder.File("results.json");
        var start = new ProcessStartInfo("python3")
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            Environment =
            {
                ["LD_LIBRARY_PATH"] = _folder.Path,
                ["PATH"] = $"{StandIns}:{Environment.GetEnvironmentVariable("PATH")}",
                ["PYTHONDONTWRITEBYTECODE"] = "1",
                ["STAND_IN_ERRORS"] = $"{sanitizerErrors}",
            },
            ArgumentList =
            {
                Path.Combine("tools", "gpu", "check.py"), "--tiny", "--only", sections, "--text", "README.md", "--output", results,
                "--qapollo", $"dotnet {Program("qapollo")}", "--check", check ?? $"dotnet {Program("qapollo-check")}",
            },
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"check.py --only {sections} did not end");
        }

        Output = output.Result;
        Results = JsonDocument.Parse(File.ReadAllBytes(results)).RootElement;
        return process.ExitCode;
    }

    public JsonElement Section(string name) => Results.GetProperty("sections").GetProperty(name);

    public void Dispose() => _folder.Dispose();

    private static string StandIns => Path.Combine(Repository.Root, "tests", "QApollo.Cuda.Tests", "Tools", "Stand-ins");

    private static string Program(string name) => Path.Combine(AppContext.BaseDirectory, name + ".dll");
}
