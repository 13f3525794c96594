using System.Diagnostics;
using System.Text.Json;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cuda.Tests.Management;

/// <summary>The program on a machine with a card and its management library, both emulated: what the sensors tell is in the run's files, its page and the doctor's report.</summary>
public sealed class CardRunTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string> _environment = [];

    /// <summary>What the latest run wrote to standard error.</summary>
    private string _error = "";

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sensors_are_logged_where_there_are_some(bool hasSensors)
    {
        File.CreateSymbolicLink(_folder.File("libcuda.so.1"), Repository.SimtLibrary);
        if (hasSensors)
        {
            File.CreateSymbolicLink(_folder.File("libnvidia-ml.so.1"), Repository.SimtLibrary);
        }

        string run = _folder.File("run");
        string output = Train(run, "--yield");

        Assert.Contains(
            hasSensors ? "yield: at low priority; while another process computes on the card" : "yield: at low priority; nothing here tells who else computes on the card",
            output, StringComparison.Ordinal);
        Assert.Contains("yielded: pauses of ", output, StringComparison.Ordinal);
        if (hasSensors)
        {
            // The stand-in has no other process at work.
            Assert.Contains("yielded: pauses of 0 seconds", output, StringComparison.Ordinal);
        }

        JsonElement[] lines = [.. File.ReadAllLines(Path.Combine(run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).Where(line => line.TryGetProperty("loss", out _))];
        string sessions = File.ReadAllText(Path.Combine(run, "sessions.jsonl"));
        string page = File.ReadAllText(Path.Combine(run, "report.html"));
        if (!hasSensors)
        {
            Assert.All(lines, line => Assert.False(line.TryGetProperty("temperature", out _) || line.TryGetProperty("energy", out _)));
            Assert.DoesNotContain("kWh", sessions + page, StringComparison.Ordinal);
            return;
        }

        Assert.All(lines, line => Assert.Equal(
            (63.0, 212.5, 1860.0, 7501.0),
            (Number(line, "temperature"), Number(line, "power"), Number(line, "clock"), Number(line, "memoryClock"))));
        Assert.All(lines, line => Assert.True(Number(line, "energy") >= 0));
        Assert.EndsWith(" kWh\"}\n", sessions, StringComparison.Ordinal);
        Assert.Contains("data-series=\"temperature\"", page, StringComparison.Ordinal);
        JsonElement card = JsonDocument.Parse(Run("doctor", "--device", "cuda", "--json")).RootElement.GetProperty("devices")[0];
        Assert.Equal((63.0, 212.0, 1860.0), (Number(card, "temperature"), Number(card, "power"), Number(card, "clock")));
    }

    /// <summary>The stand-in of the driver takes as long for each kernel as one that compiles it.</summary>
    [Fact]
    public void Compiling_is_told_once()
    {
        File.CreateSymbolicLink(_folder.File("libcuda.so.1"), Repository.SimtLibrary);
        _environment["DRIVER_COMPILE_MS"] = "40";
        const string Line = "compiling kernels for CPU emulation, once";

        // On standard error while the run is prepared, among its lines from then on.
        string output = Train(_folder.File("run"));
        Assert.Single((_error + output).Split('\n'), Line);
        Run("doctor", "--device", "cuda");
        Assert.Single(_error.Split('\n'), Line);
        Assert.DoesNotContain(Line, Train(_folder.File("quiet"), "--quiet") + _error, StringComparison.Ordinal);
    }

    /// <summary>Two steps of a tiny model.</summary>
    private string Train(string run, params string[] more)
    {
        File.WriteAllText(_folder.File("config.json"), """
            {
              "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 1, "vocab_size": 260, "max_position_embeddings": 64, "hidden_act": "silu", "rms_norm_eps": 1e-6
            }
            """);
        File.WriteAllText(_folder.File("text.txt"), string.Concat(Enumerable.Range(0, 200).Select(i => $"Line {i} of a small text.\n")));
        return Run([
            "train", "--device", "cuda", "--model", _folder.File("config.json"), "--data", _folder.File("text.txt"), "--output-dir", run, "--cache-dir", _folder.File("cache"),
            "--max-steps", "2", "--batch-size", "1", "--seq-len", "16", "--sample-tokens", "0", "--eval-every", "0", "--valid-share", "0", .. more]);
    }

    private static double Number(JsonElement line, string name) => line.GetProperty(name).GetDouble();

    private string Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "qapollo.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["LD_LIBRARY_PATH"] = _folder.Path, ["DOTNET_EnableDiagnostics"] = "0" },
        };
        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        _error = error.Result;
        Assert.True(process.ExitCode == 0, output + _error);
        return output;
    }
}
