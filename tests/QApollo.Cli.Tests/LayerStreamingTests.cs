using System.Diagnostics;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>`--layers host` and `--layers disk` end to end: the same files, the same text, the same score as with layers on the device.</summary>
public class LayerStreamingTests
{
    private sealed class LinuxFactAttribute : FactAttribute
    {
        public LinuxFactAttribute() => Skip = OperatingSystem.IsLinux() ? null : "limits a process's addresses: needs Linux";
    }

    [Theory]
    [InlineData("host")]
    [InlineData("disk")]
    public void A_run_its_resumption_and_its_model_are_those_of_layers_on_the_device(string place)
    {
        using var tiny = new TinyRun();
        string plain = TrainAndResume(tiny, "plain", onResume: "--layers host");
        string streamed = TrainAndResume(tiny, "streamed", onResume: string.Empty, "--layers", place, "--layer-slots", "2", "--boundaries", "host");
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(plain, file)), File.ReadAllBytes(Path.Combine(streamed, file)));
        }

        Assert.Contains($"\"layers\": \"{place}\"", File.ReadAllText(Path.Combine(tiny.RunFolder("streamed"), "run.json")), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(tiny.RunFolder("streamed"), "layers.tmp")));
        foreach (string command in (string[])["generate --prompt Line --max-tokens 12 --temperature 0", $"eval --data {tiny.TextPath} --cache-dir {Path.Combine(tiny.Folder, "cache")} --max-tokens 200"])
        {
            string options = $"{command} --checkpoint {plain} --device cpu --threads 1";
            CliResult expected = Cli.Run(options);
            CliResult actual = Cli.Run($"{options} --layers host");
            Assert.Equal((0, 0), (expected.ExitCode, actual.ExitCode));
            Assert.Equal(expected.Output, actual.Output);
        }
    }

    [Theory]
    [InlineData("--layers card", "device, host, disk")]
    [InlineData("--layers host --layer-slots 5", "from 2 to 4")]
    public void Bad_values_are_refused_with_what_would_be_right(string options, string expected)
    {
        CliResult result = Cli.Run($"plan {options}");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    /// <summary>Something has the name, the training text at worst, or there is no such place: refused before the first step, and all is left as it was.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("--dry-run")]
    public void A_layer_file_that_cannot_be_had_is_refused_before_the_first_step(string more)
    {
        using var tiny = new TinyRun();
        byte[] text = File.ReadAllBytes(tiny.TextPath);
        string link = File.CreateSymbolicLink(Path.Combine(tiny.Folder, "link"), tiny.TextPath).FullName;
        string none = Path.Combine(tiny.Folder, "none", "layers.tmp");
        foreach ((string file, string expected) in ((string, string)[])
        [
            (tiny.TextPath, $"qapollo: {tiny.TextPath} is there already and left alone"), (link, $"qapollo: {link} is there already and left alone"),
            (tiny.Folder, $"qapollo: {tiny.Folder} is there already and left alone"), (none, $"qapollo: {none}: "),
        ])
        {
            CliResult result = Cli.Run(string.Join(' ', (string[])[.. tiny.Train("run", steps: 2, "--layers", "disk", "--layer-file", file, more), "--device", "cpu"]));
            Assert.Equal(1, result.ExitCode);
            Assert.StartsWith(expected, result.Error, StringComparison.Ordinal);
            Assert.Contains("with --layer-file", result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Trim().Split('\n'));
            Assert.False(Directory.Exists(tiny.RunFolder("run")));
            Assert.Equal(text, File.ReadAllBytes(tiny.TextPath));
            Assert.Equal(tiny.TextPath, new FileInfo(link).LinkTarget);
        }
    }

    [Theory]
    [InlineData("--layer-slots 3", "qapollo: --layer-slots: is for layers that wait elsewhere; add --layers host or --layers disk")]
    [InlineData("--residual-layers 2", "qapollo: --residual-layers: is for weights with residual bits; add --residual-bits 4 or 8")]
    [InlineData("--layers host --layer-file layers", "qapollo: --layer-file: is for layers that wait on disk; add --layers disk")]
    public void Options_are_refused_where_they_have_no_effect(string options, string expected)
    {
        CliResult result = Cli.Run($"train --device cpu {options}");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.StartsWith(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_resumed_run_takes_options_of_layers_elsewhere_where_they_have_an_effect()
    {
        using var tiny = new TinyRun();
        CliResult first = Cli.Run(string.Join(' ', (string[])[.. tiny.Train("run", steps: 2), "--device", "cpu", "--quiet"]));
        Assert.True(first.ExitCode == 0, first.Error);
        string resume = $"train --resume --output-dir {tiny.RunFolder("run")} --dry-run --quiet --layer-slots 3 --layer-file {Path.Combine(tiny.Folder, "layers.bin")}";
        CliResult refused = Cli.Run(resume);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--layer-slots: is for layers that wait elsewhere", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--layer-file: is for layers that wait on disk", refused.Error, StringComparison.Ordinal);
        CliResult taken = Cli.Run($"{resume} --layers disk");
        Assert.True(taken.ExitCode == 0, taken.Error);
        Assert.Contains("changed: --layer-slots ", taken.Output, StringComparison.Ordinal);
        Assert.Contains("changed: --layer-file ", taken.Output, StringComparison.Ordinal);
    }

    /// <summary>A planner must not take the number of slots for a wish to keep the layers on the device.</summary>
    [Theory]
    [InlineData("plan --model 7b --budget 4GiB")]
    [InlineData("bench --device cpu")]
    [InlineData("profile --device cpu")]
    public void Slots_without_layers_elsewhere_are_refused_by_reports_too(string command)
    {
        CliResult result = Cli.Run($"{command} --layer-slots 3");
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.StartsWith("qapollo: --layer-slots: is for layers that wait elsewhere", result.Error, StringComparison.Ordinal);
    }

    /// <summary>A process that was killed as it made the file leaves it in the run's folder, where it is nobody else's.</summary>
    [Fact]
    public void What_a_killed_run_left_in_its_folder_does_not_keep_it_from_going_on()
    {
        using var tiny = new TinyRun();
        CliResult first = Cli.Run(string.Join(' ', (string[])[.. tiny.Train("run", steps: 2, "--layers", "disk"), "--device", "cpu", "--quiet"]));
        Assert.True(first.ExitCode == 0, first.Error);
        string left = Path.Combine(tiny.RunFolder("run"), "layers.tmp");
        File.WriteAllText(left, "half");
        CliResult second = Cli.Run($"train --resume --output-dir {tiny.RunFolder("run")} --max-steps 3 --quiet");
        Assert.True(second.ExitCode == 0, second.Error);
        Assert.False(File.Exists(left));
    }

    /// <summary>
    /// A gigabyte of weights in less than a gigabyte of addresses beyond what the runtime takes: layers on disk train where layers in
    /// memory are refused.
    /// </summary>
    [LinuxFact]
    public void A_model_larger_than_the_address_space_trains_from_disk()
    {
        using var tiny = new TinyRun();
        string model = "--model demo --hidden-size 512 --intermediate-size 1376 --n-layer 80 --n-head 8 --n-kv-head 8 --weights f32 --optimizer sgd --lr 0.1";
        string run = $"--data {tiny.TextPath} --cache-dir {tiny.Folder}/cache --batch-size 1 --seq-len 16 --threads 1 --max-steps 1 --valid-tokens 16 --sample-tokens 0 --device cpu --quiet";
        CliResult resident = Limited($"train {model} {run} --output-dir {tiny.RunFolder("resident")}");
        Assert.Equal(1, resident.ExitCode);
        Assert.Contains("the CPU device was asked for 9", resident.Error, StringComparison.Ordinal);

        CliResult streamed = Limited($"train {model} {run} --layers disk --output-dir {tiny.RunFolder("streamed")}");
        Assert.True(streamed.ExitCode == 0, streamed.Error);
        Assert.InRange(new FileInfo(Path.Combine(tiny.RunFolder("streamed"), "step-000001", "model.safetensors")).Length, 1_000_000_000, 1_100_000_000);
    }

    private static CliResult Limited(string arguments)
    {
        const int AddressKibibytes = 1_250_000;
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"ulimit -v {AddressKibibytes}; exec dotnet '{Path.Combine(AppContext.BaseDirectory, "qapollo.dll")}' {arguments}");

        // The runtime reserves 256 GiB of addresses for its heap otherwise, and much for each thread; a busy machine makes it start more of them.
        start.Environment["DOTNET_GCRegionRange"] = "0x8000000";
        start.Environment["DOTNET_DefaultStackSize"] = "0x100000";
        start.Environment["MALLOC_ARENA_MAX"] = "1";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new CliResult(process.ExitCode, output, error.Result);
    }

    /// <param name="onResume">Where layers wait is no part of what a run keeps to.</param>
    /// <returns>The last checkpoint.</returns>
    private static string TrainAndResume(TinyRun tiny, string run, string onResume, params string[] more)
    {
        CliResult first = Cli.Run(string.Join(' ', (string[])[.. tiny.Train(run, steps: 2, more), "--device", "cpu", "--quiet"]));
        Assert.True(first.ExitCode == 0, first.Error);
        CliResult second = Cli.Run($"train --resume --output-dir {tiny.RunFolder(run)} --max-steps 4 --quiet {onResume}");
        Assert.True(second.ExitCode == 0, second.Error);
        return Path.Combine(tiny.RunFolder(run), "step-000004");
    }
}
