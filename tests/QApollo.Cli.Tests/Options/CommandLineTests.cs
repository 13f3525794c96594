using QApollo.Cli.Tests.Attacks;
using Xunit;

namespace QApollo.Cli.Tests.Options;

/// <summary>What a command line, and a file of options, may look like.</summary>
[Collection(ConsoleCollection.Name)]
public class CommandLineTests
{
    [Fact]
    public void Of_an_option_that_is_repeated_the_last_one_counts()
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run(tiny.Train("run", 9, "--max-steps", "2", "--warmup-steps", "1", "--lr", "1", "--lr", "0.001"));
        Assert.True(result.ExitCode == 0, result.Error);
        string run = File.ReadAllText(Path.Combine(tiny.RunFolder("run"), "run.json"));
        Assert.Contains("\"maxSteps\": 2,", run, StringComparison.Ordinal);
        Assert.Contains("\"lr\": 0.001,", run, StringComparison.Ordinal);

        CallResult wrong = InProcess.Run(tiny.Train("other", 1, "--lr", "0.001", "--lr"));
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("--lr: takes one value", wrong.Error, StringComparison.Ordinal);
    }

    /// <summary>The ordinary program, that is; tests/QApollo.Torch.Tests runs the other.</summary>
    [Theory]
    [InlineData("torch", "--device torch: this program was built without the Torch device: build it with -p:Torch=cpu")]
    [InlineData("torch:cuda:1", "--device torch:cuda:1: this program was built without the Torch device")]
    [InlineData("torch:cpu", "--device: 'torch:cpu' is not known; it takes auto, cpu, cuda, or cuda:0, cuda:1, ..., torch, torch:cuda")]
    [InlineData("torch:cuda:x", "--device: 'torch:cuda:x' is not known")]
    public void A_program_without_the_Torch_device_says_how_to_get_it(string device, string expected)
    {
        CallResult result = InProcess.Run(["plan", "--model", "demo", "--device", device]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void Options_in_a_file_may_be_written_as_typed_and_commented()
    {
        using var tiny = new TinyRun();
        string path = Path.Combine(tiny.Folder, "options.json");
        File.WriteAllText(path, """
            {
              // Twice as long as usual.
              "max-steps": 3, /* of the whole run */
              "--save-every": 1,
              "evalEvery": 0,
            }
            """);
        string[] arguments = ["train", "--model", tiny.ModelPath, "--data", tiny.TextPath, "--output-dir", tiny.RunFolder("run"), "--cache-dir", tiny.RunFolder("cache"), "--seq-len", "16", "--batch-size", "2", "--config", path];
        CallResult result = InProcess.Run(arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("\"maxSteps\": 3,", File.ReadAllText(Path.Combine(tiny.RunFolder("run"), "run.json")), StringComparison.Ordinal);

        File.WriteAllText(path, """{ "max-stepz": 3 }""");
        Assert.Contains("unknown option 'max-stepz'; did you mean maxSteps?", InProcess.Run(arguments).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_warm_up_that_never_ends_is_refused()
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run(tiny.Train("run", 3, "--warmup-steps", "4"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--warmup-steps: 4 are more than the run has (--max-steps 3)", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(tiny.RunFolder("run")));
    }

    [Fact]
    public void Patience_without_validations_is_refused()
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run(tiny.Train("run", 3, "--patience", "2"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--patience: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_that_is_not_there_is_refused_on_every_device()
    {
        using var tiny = new TinyRun();
        CallResult result = InProcess.Run(tiny.Train("run", 1, "--device", "cpu", "--cublaslt", "/no/libcublasLt.so"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--cublaslt: /no/libcublasLt.so: no such file", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Of a run that began on a GPU of another machine.</summary>
    [Theory]
    [InlineData("libtorch")]
    [InlineData("cublaslt")]
    public void A_run_goes_on_with_the_cpu_where_a_library_of_its_first_device_is_not(string key)
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, InProcess.Run(tiny.Train("run", 1, "--device", "cpu")).ExitCode);
        string file = Path.Combine(tiny.RunFolder("run"), "run.json");
        string options = File.ReadAllText(file);
        File.WriteAllText(file, options.Replace("\"model\":", $"\"{key}\": \"/no/such\",\n  \"model\":", StringComparison.Ordinal));
        CallResult result = InProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2", "--device", "cpu");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("/no/such", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_that_is_not_there_is_told_in_units_with_the_way_out()
    {
        CallResult result = InProcess.Run("train", "--device", "cpu", "--model", "13b", "--weights", "f32", "--optimizer", "adamw", "--max-steps", "1", "--output-dir", Path.Combine(Path.GetTempPath(), "qapollo-none"));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(" GiB; the machine has ", result.Error, StringComparison.Ordinal);
        Assert.Contains("--budget", result.Error, StringComparison.Ordinal);
        Assert.DoesNotMatch("[0-9]{7}", result.Error);
    }

    [Fact]
    public void A_report_that_cannot_be_written_is_told_before_it_is_made()
    {
        foreach (string[] command in (string[][])[["plan", "--html"], ["profile", "--html"], ["profile", "--markdown"]])
        {
            CallResult result = InProcess.Run(command[0], "--model", "demo", command[1], "/no/such/folder/x.html");
            Assert.Equal(2, result.ExitCode);
            Assert.Empty(result.Output);
            Assert.Contains($"{command[1]}: there is no folder", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_tokenizer_that_becomes_smaller_than_asked_for_says_why_and_what_was_passed_over_is_named()
    {
        using var tiny = new TinyRun();
        string folder = Path.Combine(tiny.Folder, "texts");
        Directory.CreateDirectory(folder);
        File.Copy(tiny.TextPath, Path.Combine(folder, "text.txt"));
        File.WriteAllText(Path.Combine(folder, "a.png"), "no text");
        File.WriteAllText(Path.Combine(folder, "b.png"), "no text");
        string output = Path.Combine(tiny.Folder, "tokenizer.json");
        CallResult result = InProcess.Run("tokenizer", "train", "--data", folder, "--vocab-size", "30000", "--output", output);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("fewer than the 30,000 tokens of --vocab-size: no further pair occurs 2 times", result.Output, StringComparison.Ordinal);
        Assert.Contains($"passed over 2 files that are empty or no text (first: {Path.Combine(folder, "a.png")})", result.Output, StringComparison.Ordinal);

        CallResult small = InProcess.Run("tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", "270", "--output", output, "--force");
        Assert.DoesNotContain("note:", small.Output, StringComparison.Ordinal);
    }
}
