using QApollo.Cli.Tests.Attacks;
using Xunit;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Tests.Options;

/// <summary>Every option of `train`, given beside --resume with another value than the run's: told, refused, or nothing to tell.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class ResumeOptionsTests : IDisposable
{
    private const string Told = "told";
    private const string Refused = "refused";

    /// <summary>What it stands for is compared instead of its text.</summary>
    private const string Same = "same";

    /// <summary>Of one call, not of the run.</summary>
    private const string Transient = "transient";

    private readonly TinyRun tiny = new();

    public void Dispose() => tiny.Dispose();

    private (string Name, string Verdict, string? Value)[] Table =>
    [
        ("--model", Told, Other("config.json", "same-shape.json")), ("--n-layer", Refused, "3"), ("--n-head", Refused, "3"), ("--n-kv-head", Refused, "3"), ("--hidden-size", Refused, "64"),
        ("--intermediate-size", Refused, "64"), ("--vocab-size", Refused, "320"), ("--from-scratch", Refused, null),
        ("--data", Told, Other("text.txt", "other.txt")), ("--when-exhausted", Told, "drop"), ("--valid-data", Told, Other("text.txt", "valid.txt")), ("--valid-share", Told, "0.25"),
        ("--tokenizer", Same, "bytes"), ("--special-tokens", Told, "parse"), ("--text-field", Told, "body"), ("--strict", Told, null),
        ("--cache-dir", Same, Path.Combine(tiny.Folder, "cache2")), ("--cache-limit", Told, "1GiB"), ("--valid-tokens", Told, "64"), ("--packing", Refused, "masked"), ("--threads", Told, "2"),
        ("--batch-size", Told, "3"), ("--seq-len", Refused, "8"), ("--grad-accum", Told, "2"), ("--max-steps", Told, "7"),
        ("--optimizer", Refused, "apollo"), ("--head-optimizer", Refused, "sgd"), ("--lr", Told, "0.5"), ("--schedule", Told, "linear"), ("--warmup-steps", Told, "2"),
        ("--min-lr-ratio", Told, "0.5"), ("--decay-share", Told, "0.5"), ("--weight-decay", Told, "0.5"), ("--beta1", Told, "0.5"), ("--beta2", Told, "0.5"),
        ("--beta2-tokens", Told, "5000"), ("--epsilon", Told, "0.001"), ("--rank", Refused, "4"), ("--scale", Told, "4"), ("--normalization-rounds", Told, "5"), ("--scale-front", Told, null), ("--no-limiter", Told, null),
        ("--bias-correction", Told, "direction"), ("--update-proj-gap", Told, "3"),
        ("--weights", Refused, "bf16"), ("--head-weights", Refused, "f32"), ("--group-size", Refused, "32"), ("--zero-points", Refused, "symmetric"), ("--residual-bits", Told, "4"), ("--residual-layers", Told, "1"),
        ("--rounding", Told, "nearest"), ("--regrid", Told, "always"), ("--grad-dtype", Told, "bf16"), ("--wire-dtype", Told, "bf16"), ("--exchange", Told, "host"), ("--overlap", Told, "off"),
        ("--boundaries", Told, "host"), ("--boundary-dtype", Told, "int8"), ("--layers", Told, "host"), ("--layer-slots", Told, "3"), ("--layer-file", Told, Path.Combine(tiny.Folder, "layers.bin")), ("--expand-weights", Told, "off"),
        ("--logit-chunk", Told, "8"), ("--vocabulary-slice", Told, "32"), ("--budget", Told, "1GiB"), ("--host-budget", Told, "1GiB"),
        ("--device", Told, "auto"), ("--libtorch", Told, tiny.Folder), ("--gemm", Told, "own"), ("--cublaslt", Told, null), ("--gemm-products", Told, null), ("--no-cuda-graphs", Told, null),
        ("--seed", Same, "1"), ("--output-dir", Same, null), ("--eval-every", Told, "1"), ("--health-every", Told, "1"), ("--check-replicas", Told, "5"), ("--tensorboard", Told, null), ("--save-every", Told, "1"), ("--save-minutes", Told, "1"),
        ("--keep", Told, "1"), ("--keep-best", Told, null), ("--patience", Told, null), ("--on-spike", Told, "skip"), ("--sample-every", Told, "1"), ("--sample-prompt", Told, "Line"),
        ("--sample-tokens", Told, "3"), ("--hours", Transient, null), ("--yield", Transient, null), ("--plain", Transient, null), ("--quiet", Transient, null), ("--resume", Transient, null), ("--dry-run", Transient, null), ("--config", Transient, null),
    ];

    [Fact]
    public void Every_option_has_its_place_and_is_told_or_refused()
    {
        (string Name, string Verdict, string? Value)[] table = Table;
        Assert.Equal(T.All.Select(spec => spec.Name).Order(StringComparer.Ordinal), table.Select(entry => entry.Name).Order(StringComparer.Ordinal));
        CallResult trained = InProcess.Run([.. tiny.Train("run", 2), "--quiet"]);
        Assert.True(trained.ExitCode == 0, trained.Error);
        foreach ((string name, string verdict, string? value) in table.Where(entry => entry.Verdict != Transient && IsWithoutNeeds(entry)))
        {
            string[] given = value is null ? [name] : [name, value];
            CallResult result = InProcess.Run(["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--dry-run", "--quiet", .. given]);
            string line = $"{string.Join(' ', given)}: {result.ExitCode}\n{result.Output}{result.Error}";
            if (verdict == Refused)
            {
                Assert.True(result.ExitCode == 2 && result.Error.StartsWith($"qapollo: {name}: the run has ", StringComparison.Ordinal), line);
                continue;
            }

            Assert.True(result.ExitCode == 0, line);
            string[] changes = [.. result.Output.ReplaceLineEndings("\n").Split('\n').Where(text => text.StartsWith("changed: ", StringComparison.Ordinal))];
            Assert.True(verdict == Told ? changes.Length == 1 && changes[0].StartsWith($"changed: {name} ", StringComparison.Ordinal) : changes.Length == 0, line);
        }
    }

    /// <summary>What the checkpoint is bound to stays, though it was no choice by hand; the rest may be given up.</summary>
    [Fact]
    public void A_smaller_budget_gives_up_what_a_checkpoint_allows()
    {
        string[] run = ["train", "--output-dir", tiny.RunFolder("run"), "--quiet"];
        Assert.Equal(0, InProcess.Run([.. run, "--model", "demo", "--device", "cpu", "--data", tiny.TextPath, "--cache-dir", Path.Combine(tiny.Folder, "cache"), "--seq-len", "64", "--batch-size", "4", "--max-steps", "1", "--eval-every", "0"]).ExitCode);
        CallResult resumed = InProcess.Run(["train", "--output-dir", tiny.RunFolder("run"), "--resume", "--max-steps", "2", "--budget", "5800000B", "--head-optimizer", "adamw"]);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("chosen: ", resumed.Output, StringComparison.Ordinal);
        Assert.Contains("--batch-size 1 --grad-accum 4", resumed.Output, StringComparison.Ordinal);
        Assert.Contains("--head-optimizer adamw --head-weights bf16", resumed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_of_another_shape_is_refused_and_the_same_file_is_no_change()
    {
        Assert.Equal(0, InProcess.Run([.. tiny.Train("run", 2), "--quiet"]).ExitCode);
        string[] resume = ["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--dry-run", "--model"];
        CallResult same = InProcess.Run([.. resume, Path.Combine(tiny.Folder, ".", "config.json")]);
        Assert.True(same.ExitCode == 0, same.Error);
        Assert.DoesNotContain("changed: ", same.Output, StringComparison.Ordinal);
        string other = Path.Combine(tiny.Folder, "wider.json");
        File.WriteAllText(other, File.ReadAllText(tiny.ModelPath).Replace("\"intermediate_size\": 48", "\"intermediate_size\": 64", StringComparison.Ordinal));
        CallResult refused = InProcess.Run([.. resume, other]);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("intermediate_size is 48, the model given has 64", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>Options that ask for a GPU's library, or for another option beside them, have tests of their own.</summary>
    private static bool IsWithoutNeeds((string Name, string Verdict, string? Value) entry) =>
        entry.Name is not ("--cublaslt" or "--gemm-products" or "--patience" or "--output-dir" or "--gemm" or "--layer-slots" or "--layer-file" or "--residual-layers");

    private string Other(string name, string copy)
    {
        string path = Path.Combine(tiny.Folder, copy);
        File.Copy(Path.Combine(tiny.Folder, name), path, overwrite: true);
        return path;
    }
}
