using System.Text.Json;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>`qapollo train` on a mixture: shares, epochs and validation of each source told, resumed bit for bit, ends as chosen.</summary>
public sealed class MixtureTests : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public void A_mixture_resumes_to_the_same_bytes_and_tells_its_sources()
    {
        string other = Other(documents: 4);
        ProcessResult whole = Train("whole", 9, _tiny.TextPath + "=3", other + "=1", "--save-every", "3", "--keep", "0", "--eval-every", "9");
        Train("parts", 9, _tiny.TextPath + "=3", other + "=1", "--save-every", "3", "--keep", "0", "--eval-every", "9");
        foreach (string later in (string[])["step-000006", "step-000009"])
        {
            Directory.Delete(Path.Combine(_tiny.RunFolder("parts"), later), recursive: true);
        }

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", _tiny.RunFolder("parts"));

        Assert.True(whole.ExitCode == 0 && resumed.ExitCode == 0, whole.Error + resumed.Error);
        Assert.Contains("source text.txt: 75.0", whole.Output, StringComparison.Ordinal);
        Assert.Contains("epochs", whole.Output, StringComparison.Ordinal);
        Assert.Contains("epoch 1 of other.jsonl is complete", whole.Output + whole.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("not as it would have", resumed.Output, StringComparison.Ordinal);
        foreach (string name in (string[])["model.safetensors", "optimizer.safetensors", "state.json"])
        {
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(_tiny.RunFolder("whole"), "step-000009", name)),
                File.ReadAllBytes(Path.Combine(_tiny.RunFolder("parts"), "step-000009", name)));
        }

        JsonElement last = JsonDocument.Parse(File.ReadLines(Path.Combine(_tiny.RunFolder("whole"), "metrics.jsonl")).Last()).RootElement;
        Assert.Equal(
            ["text.txt", "other.jsonl"],
            last.GetProperty("validationLossBySource").EnumerateObject().Select(source => source.Name));
    }

    [Fact]
    public void Other_weights_at_a_resume_are_told()
    {
        string other = Other();
        Train("run", 2, _tiny.TextPath + "=3", other + "=1");

        ProcessResult resumed = QApolloProcess.Run(
            "train", "--resume", "--output-dir", _tiny.RunFolder("run"), "--max-steps", "3", "--data", _tiny.TextPath + "=1", "--data", other + "=1");

        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("text.txt=3", resumed.Output, StringComparison.Ordinal);
        Assert.Contains("text.txt=1", resumed.Output, StringComparison.Ordinal);
        Assert.Contains("not as it would have", resumed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Stop_ends_the_run_with_a_checkpoint_when_a_source_ends()
    {
        ProcessResult result = Train("run", 500, _tiny.TextPath + "=1", Other() + "=1", "--when-exhausted", "stop");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("a source of the mixture ends: the run ends with it", result.Output + result.Error, StringComparison.Ordinal);
        Assert.Contains("done: ", result.Output, StringComparison.Ordinal);
        Assert.Single(Directory.GetDirectories(_tiny.RunFolder("run"), "step-*"));
    }

    [Theory]
    [InlineData("has no weight, but others have", "=0.5", "")]
    [InlineData("no such file or folder", "=0.5", "missing=0.5")]
    public void What_is_no_mixture_is_one_line_and_exit_code_2(string expected, string first, string second)
    {
        ProcessResult result = QApolloProcess.Run(
            [.. _tiny.Train("run", 1)[..3], "--data", _tiny.TextPath + first, Path.Combine(_tiny.Folder, second.Length == 0 ? "text.txt" : second), "--max-steps", "1"]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    private string Other(int documents = 20)
    {
        string path = Path.Combine(_tiny.Folder, "other.jsonl");
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, documents).Select(i => $"{{\"text\":\"another {i} text\"}}\n")));
        return path;
    }

    private ProcessResult Train(string run, int steps, string first, string second, params string[] more)
    {
        string[] arguments = _tiny.Train(run, steps);
        int data = Array.IndexOf(arguments, "--data");
        return QApolloProcess.Run([.. arguments[..data], "--data", first, "--data", second, .. arguments[(data + 2)..^2], .. more]);
    }
}
