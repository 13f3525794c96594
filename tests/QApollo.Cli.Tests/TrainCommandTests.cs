using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using QApollo.Checkpoints;
using QApollo.Runs;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>`qapollo train` from the outside: files, exit codes, errors.</summary>
public class TrainCommandTests
{
    [Fact]
    public void A_run_leaves_its_options_metrics_and_a_checkpoint()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 12, evalEvery: 5));

        Assert.True(result.ExitCode == 0, result.Error);
        string[] lines = File.ReadAllLines(Path.Combine(tiny.RunFolder("run"), "metrics.jsonl"));
        JsonElement[] metrics = [.. lines.Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement[] steps = [.. metrics.Where(line => line.TryGetProperty("loss", out _))];
        Assert.Equal(Enumerable.Range(1, 12), steps.Select(step => step.GetProperty("step").GetInt32()));
        Assert.All(steps, step => Assert.True(step.GetProperty("tokensPerSecond").GetDouble() > 0));
        Assert.Equal([5, 10, 12], metrics.Where(line => line.TryGetProperty("validationLoss", out _)).Select(line => line.GetProperty("step").GetInt32()));
        Assert.True(steps[^1].GetProperty("loss").GetDouble() < steps[0].GetProperty("loss").GetDouble());
        Assert.Equal([12], CheckpointFolder.List(tiny.RunFolder("run")).Select(checkpoint => checkpoint.Step));
        CheckpointFolder.Verify(Path.Combine(tiny.RunFolder("run"), "step-000012"));
        using var options = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(tiny.RunFolder("run"), "run.json")));
        Assert.Equal(12, options.RootElement.GetProperty("maxSteps").GetInt32());
        Assert.Equal("apollo-mini", options.RootElement.GetProperty("optimizer").GetString());
        string device = options.RootElement.GetProperty("device").GetString()!;
        Assert.Matches("^(cpu|cuda:[0-9]+)$", device);
        Assert.Contains($"device: {device}, ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_INT8_matrix_is_stored_as_codes_scales_and_zero_points()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 1));
        using var reader = new SafetensorsReader(Path.Combine(tiny.RunFolder("run"), "step-000001", "model.safetensors"));
        const string Name = "model.layers.0.mlp.down_proj.weight";
        Assert.Equal(SafetensorsDType.U8, reader.Find(Name).DType);
        Assert.Equal([32, 48], reader.Find(Name).Shape);
        Assert.Equal(SafetensorsDType.BF16, reader.Find(Name + "_scale").DType);
        Assert.Equal(SafetensorsDType.U8, reader.Find(Name + "_zero").DType);
    }

    [Fact]
    public void Skipped_updates_are_told_and_counted()
    {
        using var tiny = new TinyRun();
        string[] options = ["--on-spike", "skip", "--lr", "1000", "--schedule", "constant", "--warmup-steps", "0", "--residual-bits", "0"];
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 4, options));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(3, result.Output.Split("its update is left out").Length - 1);
        Assert.Contains("3 updates skipped", result.Output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
        Assert.Equal(3, File.ReadLines(Path.Combine(tiny.RunFolder("run"), "metrics.jsonl")).Count(line => line.Contains("\"skipped\":true", StringComparison.Ordinal)));
    }

    /// <summary>What is skipped depends on the losses before, which a resumed run takes from its metrics.</summary>
    [Fact]
    public void A_run_that_skips_updates_resumes_to_the_same_bytes()
    {
        using var tiny = new TinyRun();
        var random = new Random(1);
        string Line(int number) => number % 70 == 40
            ? new string([.. Enumerable.Range(0, 200).Select(_ => (char)random.Next('0', 'Z'))])
            : string.Concat(Enumerable.Repeat("abcabcabc ", 20));
        File.WriteAllLines(tiny.TextPath, Enumerable.Range(0, 420).Select(Line));
        string[] options =
        [
            "--batch-size", "1", "--seq-len", "64", "--schedule", "constant", "--warmup-steps", "30", "--valid-share", "0", "--on-spike", "skip", "--save-every", "100",
            "--keep", "0", "--sample-tokens", "0",
        ];
        ProcessResult whole = QApolloProcess.Run(tiny.Train("whole", 300, options));
        Assert.True(whole.ExitCode == 0, whole.Error);
        ProcessResult parts = QApolloProcess.Run(tiny.Train("parts", 250, options));
        Assert.True(parts.ExitCode == 0, parts.Error);
        Directory.Delete(Path.Combine(tiny.RunFolder("parts"), CheckpointFolder.NameOf(250)), recursive: true);
        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("parts"), "--max-steps", "300");
        Assert.True(resumed.ExitCode == 0, resumed.Error);

        int[] Skipped(string run) => [.. MetricsHistory.Read(Path.Combine(tiny.RunFolder(run), "metrics.jsonl")).Skipped.Order()];
        int[] skipped = Skipped("whole");
        Assert.Contains(skipped, step => step <= 200);
        Assert.Contains(skipped, step => step > 200);
        Assert.Equal(skipped, Skipped("parts"));
        Assert.Contains($", {skipped.Length} updates skipped", resumed.Output, StringComparison.Ordinal);
        RequireEqualFolders(Path.Combine(tiny.RunFolder("whole"), CheckpointFolder.NameOf(300)), Path.Combine(tiny.RunFolder("parts"), CheckpointFolder.NameOf(300)));
    }

    [Fact]
    public void Resuming_goes_on_to_the_same_bytes()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("whole", 9, "--save-every", "3", "--keep", "0"));
        QApolloProcess.Run(tiny.Train("parts", 9, "--save-every", "3", "--keep", "0"));
        foreach (string later in (string[])["step-000006", "step-000009"])
        {
            Directory.Delete(Path.Combine(tiny.RunFolder("parts"), later), recursive: true);
        }

        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("parts"));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("step-000003", result.Output, StringComparison.Ordinal);
        RequireEqualFolders(Path.Combine(tiny.RunFolder("whole"), "step-000009"), Path.Combine(tiny.RunFolder("parts"), "step-000009"));
    }

    [Fact]
    public void A_run_within_documents_resumes_to_the_same_bytes_and_is_scored_as_it_was_trained()
    {
        const int Documents = 30;
        using var tiny = new TinyRun();
        string data = Path.Combine(tiny.Folder, "documents.jsonl");
        File.WriteAllText(tiny.TextPath, "Short, so that most sequences hold several documents.");
        File.WriteAllLines(data, Enumerable.Range(0, Documents).Select(i => $"{{\"text\": \"Document {i}{new string('.', i)}\"}}"));
        string[] more = ["--data", data, "--save-every", "2", "--keep", "0", "--packing"];
        QApolloProcess.Run(tiny.Train("whole", 4, [.. more, "masked"]));
        QApolloProcess.Run(tiny.Train("parts", 4, [.. more, "masked"]));
        QApolloProcess.Run(tiny.Train("packed", 4, [.. more, "packed"]));
        Directory.Delete(Path.Combine(tiny.RunFolder("parts"), "step-000004"), recursive: true);

        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("parts"));

        Assert.True(result.ExitCode == 0, result.Error);
        string checkpoint = Path.Combine(tiny.RunFolder("whole"), "step-000004");
        RequireEqualFolders(checkpoint, Path.Combine(tiny.RunFolder("parts"), "step-000004"));
        Assert.NotEqual(
            File.ReadAllBytes(Path.Combine(checkpoint, "model.safetensors")),
            File.ReadAllBytes(Path.Combine(tiny.RunFolder("packed"), "step-000004", "model.safetensors")));

        string[] eval = ["eval", "--checkpoint", checkpoint, "--data", data, "--cache-dir", Path.Combine(tiny.Folder, "cache"), "--json"];
        Assert.Equal(Documents - 1, ScoredTokens([.. eval, "--packing", "packed"]) - ScoredTokens(eval));

        static long ScoredTokens(string[] arguments)
        {
            ProcessResult score = QApolloProcess.Run(arguments);
            Assert.True(score.ExitCode == 0, score.Error);
            return JsonDocument.Parse(score.Output).RootElement.GetProperty("tokens").GetInt64();
        }
    }

    [Fact]
    public void A_resumed_run_may_be_longer()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 2, "--schedule", "constant"));
        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "4");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal([2, 4], CheckpointFolder.List(tiny.RunFolder("run")).Select(checkpoint => checkpoint.Step));
    }

    [Fact]
    public void A_resumed_run_may_not_be_shorter()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 3));
        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("has done 3 steps, more than 2", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run")).ExitCode);
    }

    [Fact]
    public void All_faults_of_a_command_line_are_reported_at_once()
    {
        ProcessResult result = QApolloProcess.Run("train", "--batch-size", "0", "--optimizer", "adam", "--lr", "-1");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--batch-size: '0' is not valid; it takes a whole number, 1 or more", result.Error, StringComparison.Ordinal);
        Assert.Contains("--optimizer: 'adam' is not valid; it takes apollo-mini, apollo, sinkgd, racs, adamw, adamw8bit, scale, sgd", result.Error, StringComparison.Ordinal);
        Assert.Contains("--lr: '-1' is not valid", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Faults_of_every_kind_are_reported_together()
    {
        ProcessResult result = QApolloProcess.Run(
            "train", "--no-such-option", "7", "--lr", "--rank", "x", "--model", "8m", "--device", "tpu", "--data", "/no/such/file.txt", "--tokenizer", "/no/tokenizer.json");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--no-such-option 7: unknown option", result.Error, StringComparison.Ordinal);
        foreach (string part in (string[])["--lr: takes one value", "--rank: 'x'", "--model: '8m'", "--device: 'tpu'", "--data: /no/such/file.txt", "/no/tokenizer.json"])
        {
            Assert.Contains(part, result.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>Each trains INT8 matrices with residual bits, and goes on from its checkpoint as if it had not been stopped.</summary>
    [Theory]
    [InlineData("scale", "learning rate: 0.001 (the default of scale)")]
    [InlineData("sinkgd", "learning rate: 0.02 (the default of sinkgd)")]
    [InlineData("racs", "learning rate: 0.02 (the default of racs)")]
    public void Optimizers_almost_without_state_train_and_go_on(string optimizer, string rate)
    {
        using var tiny = new TinyRun();
        string[] options = ["--optimizer", optimizer, "--residual-bits", "8", "--schedule", "constant", "--warmup-steps", "0", "--grad-accum", "2"];
        ProcessResult whole = QApolloProcess.Run(tiny.Train("whole", 3, options));
        Assert.True(whole.ExitCode == 0, whole.Error);
        Assert.Contains(rate, whole.Output, StringComparison.Ordinal);
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("parts", 2, options)).ExitCode);
        Assert.Equal(0, QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("parts"), "--max-steps", "3").ExitCode);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            string[] paths = [.. ((string[])["whole", "parts"]).Select(run => Path.Combine(tiny.RunFolder(run), "step-000003", file))];
            Assert.True(File.ReadAllBytes(paths[0]).AsSpan().SequenceEqual(File.ReadAllBytes(paths[1])), file);
        }
    }

    [Fact]
    public void A_run_begins_with_the_options_that_differ_from_the_defaults()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1, "--sample-prompt", "Line 1", "--no-limiter"));
        Assert.Contains("--lr 0.01 ", result.Output, StringComparison.Ordinal);
        Assert.Contains("learning rate: 0.01 (the default from scratch)", result.Output, StringComparison.Ordinal);
        Assert.Contains($"--sample-prompt {(OperatingSystem.IsWindows() ? "\"Line 1\"" : "'Line 1'")}", result.Output, StringComparison.Ordinal);
        Assert.Contains("--no-limiter", result.Output, StringComparison.Ordinal);
        Assert.Contains("--warmup-steps 0", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--scale-front", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--optimizer", result.Output, StringComparison.Ordinal);
        using var options = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(tiny.RunFolder("run"), "run.json")));
        Assert.Equal(0.01, options.RootElement.GetProperty("lr").GetDouble());
        Assert.Equal("apollo-mini", options.RootElement.GetProperty("optimizer").GetString());
    }

    [Fact]
    public void Verbose_tells_all_options_in_force()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1, "--verbose"));
        Assert.Contains("--optimizer apollo-mini --lr 0.01 ", result.Output, StringComparison.Ordinal);
        Assert.Contains("--expand-weights on", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Resuming_with_another_seed_or_other_data_is_noticed()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 1));
        string[] resume = ["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2"];
        ProcessResult seed = QApolloProcess.Run([.. resume, "--seed", "5"]);
        Assert.Equal(2, seed.ExitCode);
        Assert.Contains("--seed 1, not 5", seed.Error, StringComparison.Ordinal);

        File.AppendAllText(tiny.TextPath, "One more line.\n");
        ProcessResult data = QApolloProcess.Run(resume);
        Assert.Equal(0, data.ExitCode);
        Assert.Contains("not as it would have", data.Output, StringComparison.Ordinal);
    }

    /// <summary>With residual bits and without: codes go on, and a line says what becomes of the bits.</summary>
    [Fact]
    public void Resuming_with_other_residual_bits_says_so()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 2, "--residual-bits", "0", "--health-every", "1"));
        string[] resume = ["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps"];
        ProcessResult with = QApolloProcess.Run([.. resume, "3", "--residual-bits", "4"]);
        Assert.True(with.ExitCode == 0, with.Error);
        Assert.Contains("note: 14 matrices have no residual bits in the checkpoint: theirs start from zero", with.Output, StringComparison.Ordinal);
        using (var reader = new SafetensorsReader(Path.Combine(tiny.RunFolder("run"), "step-000003", "residuals.safetensors")))
        {
            Assert.Equal([32, 24], reader.Find("model.layers.1.mlp.down_proj.weight_residual").Shape);
        }

        ProcessResult other = QApolloProcess.Run([.. resume, "4", "--residual-bits", "8"]);
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("weight_residual", other.Error, StringComparison.Ordinal);
        Assert.Contains("has 4 bits, but this run needs 8", other.Error, StringComparison.Ordinal);
        Assert.Single(other.Error.TrimEnd().Split('\n'));
        ProcessResult without = QApolloProcess.Run([.. resume, "4", "--residual-bits", "0"]);
        Assert.True(without.ExitCode == 0, without.Error);
        Assert.Contains("the residual bits of 14 matrices of the checkpoint are left behind", without.Output, StringComparison.Ordinal);

        string[] health = [.. File.ReadLines(Path.Combine(tiny.RunFolder("run"), "metrics.jsonl")).Where(line => line.Contains("\"health\"", StringComparison.Ordinal))];
        Assert.Equal(4, health.Length);
        using var last = JsonDocument.Parse(health[^1]);
        Assert.All(
            (string[])["codesChanged", "updatesLost", "noiseRatio", "groupsRegridded", "limited"],
            key => Assert.Equal(2, last.RootElement.GetProperty("health").GetProperty(key).GetArrayLength()));
    }

    /// <summary>Nothing counts codes that there are not: a zero would say that no update was lost.</summary>
    [Fact]
    public void Health_of_dense_weights_tells_what_is_counted_of_them()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1, "--weights", "bf16", "--health-every", "1"));
        Assert.True(result.ExitCode == 0, result.Error);
        string line = Assert.Single(File.ReadLines(Path.Combine(tiny.RunFolder("run"), "metrics.jsonl")), line => line.Contains("\"health\"", StringComparison.Ordinal));
        using var health = JsonDocument.Parse(line);
        Assert.Equal(["limited"], health.RootElement.GetProperty("health").EnumerateObject().Select(property => property.Name));
    }

    public static TheoryData<string[], string> WrongUses => new()
    {
        { ["train", "--no-such-option"], "--no-such-option" },
        { ["train", "--model", "8m"], "presets are" },
        { ["train", "--device", "tpu"], "--device: 'tpu' is not known" },
        { ["train", "--residual-bits", "5"], "--residual-bits: '5' is not valid; it takes 0, 4 or 8" },
        { ["train", "--residual-bits", "4", "--weights", "bf16"], "--residual-bits 4 needs --weights int8" },
        { ["plan", "--residual-bits", "8", "--weights", "f32"], "--residual-bits 8 needs --weights int8" },
        { ["plan", "--residual-bits", "4", "--model", "1b"], "--residual-bits 4 needs an even number of columns, but model.layers.0.mlp.down_proj.weight has 5461" },
        { ["train", "--gemm", "mkl"], "--gemm: 'mkl' is not valid; it takes auto, own, cublaslt" },
        { ["train", "--gemm-products", "forward"], "--gemm-products: 'forward' is no product" },
        { ["train", "--data", "/no/such/file.txt"], "/no/such/file.txt" },
        { ["train", "--resume"], "--resume: needs --output-dir" },
        { ["train", "--resume", "--output-dir", "/no/such/run"], "--resume: needs --output-dir" },
        { ["train", "--resume", "--output-dir", "/no/such/run"], "/no/such/run holds none" },
        { ["data", "prepare"], "--data: is needed" },
        { ["tokenizer", "train", "--bogus"], "see: qapollo tokenizer train --help" },
        { ["train", "--config", "/no/such.json"], "/no/such.json" },
        { ["train", "--tokenizer", "/no/such/tokenizer.json"], "/no/such/tokenizer.json" },
        { ["no-such-command"], "no-such-command" },
    };

    [Theory]
    [MemberData(nameof(WrongUses))]
    public void A_wrong_use_gets_one_clear_line_and_exit_code_2(string[] arguments, string expected)
    {
        ProcessResult result = QApolloProcess.Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_is_named()
    {
        using var tiny = new TinyRun();
        File.WriteAllText(tiny.TextPath, string.Empty);
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("text.txt", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(tiny.RunFolder("run")));
    }

    [Fact]
    public void Sequences_longer_than_the_data_are_refused()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1, "--seq-len", "1000000"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--seq-len", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_holds_a_run_is_not_written_over()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 1));
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 1));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("holds a run already", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_checkpoint_is_named_by_its_checksum()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 2));
        string file = Path.Combine(tiny.RunFolder("run"), "step-000002", "optimizer.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^5] ^= 1;
        File.WriteAllBytes(file, bytes);

        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "4");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("optimizer.safetensors", result.Error, StringComparison.Ordinal);
        Assert.Contains("checksum", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_preset_takes_the_vocabulary_of_its_tokenizer_and_a_resumed_run_keeps_it()
    {
        using var tiny = new TinyRun();
        string tokenizer = Path.Combine(tiny.Folder, "mine.json");
        ProcessResult made = QApolloProcess.Run("tokenizer", "train", "--data", tiny.TextPath, "--vocab-size", "330", "--output", tokenizer);
        Assert.True(made.ExitCode == 0, made.Error);
        string told = made.Output.Split('\n').First(line => line.Length > 0 && char.IsAsciiDigit(line[0]));
        int ids = int.Parse(told.Split(' ')[0], CultureInfo.InvariantCulture);
        Assert.InRange(ids, 321, 330);
        string[] train = ["train", "--model", "demo", "--tokenizer", tokenizer, .. tiny.Train("run", 1, "--sample-tokens", "0")[3..]];

        ProcessResult result = QApolloProcess.Run(train);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("--vocab-size 384", result.Output, StringComparison.Ordinal);
        Assert.Contains($"vocabulary: 384 rows for the {ids} ids of byte-level BPE", result.Output, StringComparison.Ordinal);
        Assert.Equal(384, Number(Path.Combine(tiny.RunFolder("run"), "step-000001", "config.json"), "vocab_size"));
        Assert.Equal(384, Number(Path.Combine(tiny.RunFolder("run"), "run.json"), "vocabSize"));
        ProcessResult text = QApolloProcess.Run("generate", "--checkpoint", tiny.RunFolder("run"), "--prompt", "Line", "--max-tokens", "5", "--threads", "1");
        Assert.True(text.ExitCode == 0, text.Error);

        // A run.json of before the option: the checkpoint knows.
        string run = Path.Combine(tiny.RunFolder("run"), "run.json");
        JsonObject options = JsonNode.Parse(File.ReadAllText(run))!.AsObject();
        options.Remove("vocabSize");
        File.WriteAllText(run, options.ToJsonString());
        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("--vocab-size 384", resumed.Output, StringComparison.Ordinal);

        static int Number(string path, string field) => JsonDocument.Parse(File.ReadAllBytes(path)).RootElement.GetProperty(field).GetInt32();
    }

    [Fact]
    public void A_pinned_vocabulary_must_hold_the_tokenizers_ids_and_belongs_to_presets()
    {
        using var tiny = new TinyRun();
        ProcessResult small = QApolloProcess.Run("train", "--model", "demo", "--vocab-size", "256", "--data", tiny.TextPath);
        Assert.Equal(2, small.ExitCode);
        Assert.Contains("--vocab-size: its vocabulary of 256 is too small for the tokenizer's 257 ids (bytes)", small.Error, StringComparison.Ordinal);
        ProcessResult file = QApolloProcess.Run(tiny.Train("run", 1, "--vocab-size", "300"));
        Assert.Equal(2, file.ExitCode);
        Assert.Contains("--vocab-size: is for presets", file.Error, StringComparison.Ordinal);
        ProcessResult large = QApolloProcess.Run(tiny.Train("run", 1, "--tokenizer", "gpt2"));
        Assert.Equal(2, large.ExitCode);
        Assert.Contains("--model: its vocabulary of 260 is too small for the tokenizer's 50257 ids", large.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Resuming_with_another_model_names_the_difference()
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 1));
        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--model", "demo", "--max-steps", "2");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("hidden_size is 32, the model given has 128", result.Error, StringComparison.Ordinal);
    }

    /// <summary>A run.json that somebody edited: the checkpoint itself tells.</summary>
    [Theory]
    [InlineData("\"weights\": \"int8\"", "\"weights\": \"bf16\"", "model.safetensors")]
    [InlineData("\"optimizer\": \"apollo-mini\"", "\"optimizer\": \"adamw\"", "optimizer.safetensors")]
    public void Resuming_with_other_weights_or_another_optimizer_names_the_difference(string before, string after, string file)
    {
        using var tiny = new TinyRun();
        QApolloProcess.Run(tiny.Train("run", 1));
        string options = Path.Combine(tiny.RunFolder("run"), "run.json");
        File.WriteAllText(options, File.ReadAllText(options).Replace(before, after, StringComparison.Ordinal));
        ProcessResult result = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "2");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(file, result.Error, StringComparison.Ordinal);
        Assert.Contains("resume with the weight formats and optimizers of the run that was saved", result.Error, StringComparison.Ordinal);
    }

    internal static void RequireEqualFolders(string expected, string actual)
    {
        string[] files = [.. Directory.GetFiles(expected).Select(path => Path.GetFileName(path)).Order()];
        Assert.Equal(files, Directory.GetFiles(actual).Select(path => Path.GetFileName(path)).Order());
        foreach (string file in files)
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(expected, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, file))), $"{file} differs");
        }
    }
}
