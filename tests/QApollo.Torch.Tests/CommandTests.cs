using System.Diagnostics;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Torch.Tests;

/// <summary>The program with the Torch device built in, as a user runs it.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_model_is_trained_resumed_scored_and_asked_for_text()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "text.txt"), string.Concat(Enumerable.Repeat("The cat sat on the mat. ", 200)));
        string[] train =
        [
            "train", "--model", "demo", "--data", "text.txt", "--seq-len", "32", "--batch-size", "1", "--device", "torch", "--output-dir", "run",
            "--eval-every", "0", "--sample-every", "0", "--save-every", "1",
        ];
        Assert.Contains("device: torch, ", Succeed([.. train, "--max-steps", "2"]), StringComparison.Ordinal);
        Succeed([.. train, "--max-steps", "3", "--resume"]);
        Assert.Contains("perplexity", Succeed("eval", "--checkpoint", "run", "--data", "text.txt", "--device", "torch", "--max-tokens", "64", "--seq-len", "32"), StringComparison.Ordinal);
        Assert.NotEmpty(Succeed("generate", "--checkpoint", "run", "--prompt", "The", "--device", "torch", "--max-tokens", "4"));
    }

    [Fact]
    public void A_folder_without_libtorch_or_of_another_version_is_named()
    {
        Assert.Contains($"{_folder.Path} has no ", Fail(), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder.Path, "libtorch_cpu.so"), string.Empty);
        File.WriteAllText(Path.Combine(_folder.Path, "build-version"), "2.5.1");
        Assert.Contains("has libtorch 2.5.1; TorchSharp 0.107.0 needs 2.10.0", Fail(), StringComparison.Ordinal);
    }

    /// <summary>Every rank has a libtorch of its own; before a checkpoint their weights and states are compared.</summary>
    [Fact]
    public async Task Two_ranks_train_one_model()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "text.txt"), string.Concat(Enumerable.Repeat("The cat sat on the mat. ", 200)));
        string port = $"{FreePort.Find()}";
        (int ExitCode, string Output, string Error)[] ranks = await Task.WhenAll(Enumerable.Range(0, 2).Select(rank => Task.Run(() => Run(
            [("RANK", $"{rank}"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port)],
            "train", "--model", "demo", "--data", "text.txt", "--cache-dir", "cache", "--seq-len", "32", "--batch-size", "1", "--device", "torch", "--threads", "1",
            "--output-dir", "run", "--max-steps", "2", "--eval-every", "0", "--sample-tokens", "0"))));
        Assert.All(ranks, rank => Assert.True(rank.ExitCode == 0, $"exit code {rank.ExitCode}: {rank.Output}{rank.Error}"));
        Assert.Contains("ranks: 2 on 1 machine by TCP", ranks[0].Output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder.Path, "run", "step-000002", "complete.json")));
    }

    private string Fail()
    {
        (int exitCode, string output, string error) = Run("bench", "--model", "demo", "--device", "torch", "--libtorch", _folder.Path);
        Assert.True(exitCode == 1, $"exit code {exitCode}: {output}{error}");
        return Assert.Single(error.TrimEnd().Split('\n'), line => line.StartsWith("qapollo: ", StringComparison.Ordinal));
    }

    private string Succeed(params string[] arguments)
    {
        (int exitCode, string output, string error) = Run(arguments);
        Assert.True(exitCode == 0, $"{string.Join(' ', arguments)}: exit code {exitCode}: {output}{error}");
        return output;
    }

    private (int ExitCode, string Output, string Error) Run(params string[] arguments) => Run([], arguments);

    private (int ExitCode, string Output, string Error) Run((string Name, string Value)[] environment, params string[] arguments)
    {
        // The host of the tests: under an older C++ runtime no other loads LibTorchSharp.
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "qapollo.dll"));
        Array.ForEach(arguments, start.ArgumentList.Add);
        Array.ForEach(environment, variable => start.Environment[variable.Name] = variable.Value);
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
