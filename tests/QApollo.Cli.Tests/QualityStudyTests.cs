using System.Text.Json;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>tools/quality: a study goes on where it was stopped, and its tables are the arithmetic that they say.</summary>
public sealed class QualityStudyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Results => _folder.File("results.jsonl");

    [Fact]
    public void A_study_that_was_stopped_does_the_runs_that_are_missing()
    {
        Assert.Equal(2, Study(seeds: 2, "INT8 + 8").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        string[] lines = File.ReadAllLines(Results);
        Assert.Equal(2, lines.Length);

        // A kill in the middle of a line: that run is done again, and gives the same.
        File.WriteAllText(Results, lines[0] + "\n" + lines[1][..20]);
        Assert.Single(Study(seeds: 2, "INT8 + 8").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(lines, File.ReadAllLines(Results));
        Assert.Equal("", Study(seeds: 2, "INT8 + 8"));
        Assert.Single(Study(seeds: 1, "INT8").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Single(Study(seeds: 1, "F32, APOLLO-Mini").Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task A_study_waits_while_another_one_writes_its_line()
    {
        string line = Line("INT8", 0.01, 1, 2);
        Task<string> study;
        using (var held = new FileStream(Results, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            study = Task.Run(() => Study(seeds: 1, "INT8 + 8"));
            await Task.Delay(1500);
            held.Write([.. System.Text.Encoding.UTF8.GetBytes(line), (byte)'\n']);
        }

        Assert.StartsWith("INT8 + 8, 0.01, seed 1: ", await study, StringComparison.Ordinal);
        string[] lines = File.ReadAllLines(Results);
        Assert.Equal((line, 2), (lines[0], lines.Length));
    }

    [Fact]
    public void Runs_of_other_shapes_and_other_tokens_are_other_runs()
    {
        string tokenizer = _folder.File("tokenizer.json");
        ProcessResult trained = QApolloProcess.Run("tokenizer", "train", "--data", WriteText(), "--vocab-size", "300", "--output", tokenizer);
        Assert.True(trained.ExitCode == 0, trained.Error);
        string[][] ways = [[], ["--batch-size", "2", "--seq-len", "64"], ["--batch-size", "2", "--seq-len", "64", "--tokenizer", tokenizer]];
        for (int count = 1; count <= ways.Length; count++)
        {
            Assert.StartsWith("INT8 + 8, 0.01, seed 1: ", Study(seeds: 1, "INT8 + 8", ways[count - 1]), StringComparison.Ordinal);
            Assert.Equal("", Study(seeds: 1, "INT8 + 8", ways[count - 1]));
            Assert.Equal(count, File.ReadAllLines(Results).Length);
        }

        Assert.Contains("\"batchSize\":2,\"sequenceLength\":64", File.ReadAllLines(Results)[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_setting_that_does_not_exist_is_told_with_those_that_do()
    {
        ProcessResult result = QApolloProcess.RunProgram("qapollo-quality.dll", "study", "--only", "INT9", "--results", Results);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("no setting's name contains 'INT9'; there are F32, APOLLO-Mini; INT8;", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Differences 0.02 and 0.04 at seeds 1 and 2: mean 0.03, standard error 0.01; the run without a partner is in the mean loss alone.</summary>
    [Fact]
    public void Differences_are_taken_seed_by_seed()
    {
        string document = _folder.File("quality.md");
        File.WriteAllText(document, "text\n<!-- tables -->\nold\n");
        File.WriteAllLines(Results, [
            Line("INT8", 0.01, 1, 2.02), Line("F32, APOLLO-Mini", 0.01, 1, 2.0), Line("F32, APOLLO-Mini", 0.01, 2, 2.2), Line("INT8", 0.01, 2, 2.24), Line("INT8", 0.01, 3, 2.31),
            Line("F32, AdamW", 0.002, 101, 1.9),
        ]);
        ProcessResult result = QApolloProcess.RunProgram("qapollo-quality.dll", "tables", "--results", Results, "--document", document);
        Assert.True(result.ExitCode == 0, result.Error);
        string text = File.ReadAllText(document);
        Assert.StartsWith("text\n<!-- tables -->\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("old", text, StringComparison.Ordinal);
        Assert.Contains("| F32, APOLLO-Mini | 0.01 | 2 | 2.1000 | - | - |\n| INT8 | 0.01 | 3 | 2.1900 | +0.0300 ± 0.0100 | +3.05 ± 1.03 % |", text, StringComparison.Ordinal);
        Assert.Contains("## Tuning: demo, 10 steps of 8 x 256 tokens, seeds from 101", text, StringComparison.Ordinal);
        Assert.Contains("INT8 (3)", File.ReadAllText(_folder.File("quality-demo-10-8x256.svg")), StringComparison.Ordinal);

        ProcessResult beside = QApolloProcess.RunProgram("qapollo-quality.dll", "tables", "--results", Results, "--beside", "INT8");
        Assert.Contains("minus INT8, nats", beside.Output, StringComparison.Ordinal);
        Assert.Contains("| F32, APOLLO-Mini | 0.01 | 2 | 2.1000 | -0.0300 ± 0.0100 | -2.96 ± 0.97 % |\n| INT8 | 0.01 | 3 | 2.1900 | - | - |", beside.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal(2, QApolloProcess.RunProgram("qapollo-quality.dll", "tables", "--results", Results, "--beside", "INT9").ExitCode);
    }

    /// <summary>The reference at 0.01 (two seeds) and 0.02 (one, later in the file first): INT8 at each stands beside that rate, an optimizer with rates of its own beside 0.01.</summary>
    [Fact]
    public void A_run_is_set_beside_the_reference_of_its_own_rate()
    {
        string document = WriteDocument();
        File.WriteAllLines(Results, [
            Line("F32, APOLLO-Mini", 0.02, 1, 3.0), Line("F32, APOLLO-Mini", 0.01, 1, 2.0), Line("F32, APOLLO-Mini", 0.01, 2, 2.0),
            Line("INT8", 0.01, 1, 2.5), Line("INT8", 0.02, 1, 3.25), Line("F32, AdamW", 0.002, 1, 2.125),
        ]);
        ProcessResult result = Tables(document);
        Assert.True(result.ExitCode == 0, result.Error);
        string text = File.ReadAllText(document);
        Assert.Contains("| INT8 | 0.01 | 1 | 2.5000 | +0.5000, one seed |", text, StringComparison.Ordinal);
        Assert.Contains("| INT8 | 0.02 | 1 | 3.2500 | +0.2500, one seed |", text, StringComparison.Ordinal);
        Assert.Contains("| F32, AdamW | 0.002 | 1 | 2.1250 | +0.1250, one seed |", text, StringComparison.Ordinal);
    }

    /// <summary>Two texts, and other held-out tokens: none is compared with another, and each has a drawing of its own.</summary>
    [Fact]
    public void What_cannot_be_compared_has_tables_and_drawings_of_its_own()
    {
        string document = WriteDocument();
        string[] lines = [Line("F32, APOLLO-Mini", 0.01, 1, 2.0), Line("F32, APOLLO-Mini", 0.01, 2, 2.2), Line("INT8", 0.01, 1, 2.02), Line("INT8", 0.01, 2, 2.24)];
        File.WriteAllLines(Results, [
            .. lines, .. lines.Select(line => line.Replace("abc", "def", StringComparison.Ordinal)), .. lines.Select(line => line.Replace("1024", "2048", StringComparison.Ordinal)),
            .. lines.Select(line => line.Replace("1024", "4096", StringComparison.Ordinal)),
        ]);
        ProcessResult result = Tables(document);
        Assert.True(result.ExitCode == 0, result.Error);
        string text = File.ReadAllText(document);
        string[] drawings = ["quality-demo-10-8x256.svg", "quality-demo-10-8x256-def.svg", "quality-demo-10-8x256-abc.svg", "quality-demo-10-8x256-abc-4096.svg"];
        Assert.All(drawings, drawing => Assert.Contains($"]({drawing})", text, StringComparison.Ordinal));
        Assert.Equal(drawings.Order(), Directory.GetFiles(Path.GetDirectoryName(document)!, "*.svg").Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("text")]
    [InlineData("null")]
    [InlineData("{\"model\":\"demo\",\"steps\":10}")]
    [InlineData("<loss NaN>")]
    [InlineData("<without validTokens>")]
    [InlineData("<seed null>")]
    public void A_results_file_with_another_line_is_refused_and_stays(string other)
    {
        string good = Line("INT8", 0.01, 1, 2);
        string content = good + "\n\n" + other switch
        {
            "<loss NaN>" => good.Replace("\"loss\":2", "\"loss\":NaN", StringComparison.Ordinal),
            "<without validTokens>" => good.Replace(",\"validTokens\":1024", "", StringComparison.Ordinal),
            "<seed null>" => good.Replace("\"seed\":1", "\"seed\":null", StringComparison.Ordinal),
            _ => other,
        };
        File.WriteAllText(Results, content);
        ProcessResult result = RunStudy(seeds: 1, "INT8 + 8");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"qapollo-quality: {Results}, line 3: is no result of a study (", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(content, File.ReadAllText(Results));
    }

    [Fact]
    public void A_tokenizer_with_more_ids_than_the_model_has_rows_is_refused()
    {
        ProcessResult result = RunStudy(seeds: 1, "INT8 + 8", "--tokenizer", "gpt2");
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("qapollo-quality: --tokenizer: gpt2 has 50257 ids, and the model demo has rows for 320;", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_whole_last_line_without_an_end_is_kept()
    {
        string line = Line("INT8", 0.01, 1, 2);
        File.WriteAllText(Results, line);
        Study(seeds: 1, "INT8 + 8");
        string[] lines = File.ReadAllLines(Results);
        Assert.Equal((line, 2), (lines[0], lines.Length));
    }

    [Fact]
    public async Task Two_studies_that_fill_one_file_train_each_run_once()
    {
        string text = WriteText();
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => RunStudyOf(text, seeds: 2, "groups"))));
        string[] runs = [.. File.ReadAllLines(Results).Select(line => line.Split("\"loss\"")[0])];
        Assert.Equal(4, runs.Length);
        Assert.Equal(4, runs.Distinct().Count());
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Results)!, "*.lock"));
    }

    [Fact]
    public void Tuning_takes_seeds_of_its_own()
    {
        Assert.Contains("F32, AdamW, 0.0005, seed 101:", Study(seeds: 1, "F32, AdamW", "--tune", "--steps", "1"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--first-seed: 1 is no seed for tuning; those begin at 101", "study", "--tune", "--first-seed", "1")]
    [InlineData("--seeds: seeds 100 to 111 reach those of tuning, which begin at 101", "study", "--first-seed", "100")]
    [InlineData("--steps: 0 is too small; it takes 1 or more", "study", "--steps", "0")]
    [InlineData("--tuned-steps: 0 is too small", "study", "--tuned-steps", "0")]
    [InlineData("--batch-size: -1 is too small", "study", "--batch-size", "-1")]
    [InlineData("--seq-len: 1 is too small; it takes 2 or more", "study", "--seq-len", "1")]
    [InlineData("--threads: 0 is too small", "study", "--threads", "0")]
    [InlineData("--threads: 1025 is too large; it takes 1024 or fewer", "study", "--threads", "1025")]
    [InlineData("--valid-tokens: 0 is too small", "study", "--valid-tokens", "0")]
    [InlineData("--results: the path is empty", "study", "--results", "")]
    [InlineData("--results: / is a folder", "tables", "--results", "/")]
    [InlineData("--document: missing.md is no file", "tables", "--document", "missing.md")]
    [InlineData("--seeds: 0 is too small", "replay", "--seeds", "0")]
    [InlineData("--lr: 0 is no learning rate; it takes a number above 0", "replay", "--lr", "0")]
    public void What_is_typed_wrong_is_told_in_one_line(string message, params string[] command)
    {
        ProcessResult result = QApolloProcess.RunProgram("qapollo-quality.dll", command);
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"qapollo-quality: {message}", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>A drawing's name is taken by a folder: the document stays, and nothing half-written is left.</summary>
    [Fact]
    public void Tables_that_cannot_be_written_leave_the_document_as_it_was()
    {
        string document = WriteDocument();
        string[] lines = [Line("F32, APOLLO-Mini", 0.01, 1, 2.0), Line("F32, APOLLO-Mini", 0.01, 2, 2.2), Line("INT8", 0.01, 1, 2.02), Line("INT8", 0.01, 2, 2.24)];
        File.WriteAllLines(Results, lines);
        string drawing = _folder.File("quality-demo-10-8x256.svg");
        Directory.CreateDirectory(drawing);
        ProcessResult result = Tables(document);
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"qapollo-quality: {drawing}: cannot be written", result.Error, StringComparison.Ordinal);
        Assert.EndsWith("old\n", File.ReadAllText(document), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(document)!, "*.tmp"));
    }

    /// <summary>Rates 0.0005 to 0.008 of AdamW, the third the best: the reported setting trains with it, and not before all were tried.</summary>
    [Fact]
    public void A_tuned_setting_takes_the_best_rate_of_other_seeds()
    {
        string study = Study(seeds: 1, "INT8 + 8");
        Assert.Contains("INT8 + 8, 0.01, seed 1", study, StringComparison.Ordinal);
        using var first = JsonDocument.Parse(File.ReadAllLines(Results)[0]);
        string data = first.RootElement.GetProperty("data").GetString()!;
        double[] rates = [0.0005, 0.001, 0.002, 0.004, 0.008];
        string[] lines = [.. rates.Select(rate => Line("F32, AdamW", rate, 101, rate == 0.002 ? 2 : 3).Replace("\"steps\":10", "\"steps\":5", StringComparison.Ordinal).Replace("abc", data, StringComparison.Ordinal))];
        File.WriteAllLines(Results, lines[..4]);
        Assert.Contains("F32, AdamW: left out until --tune", Study(seeds: 1, "F32, AdamW"), StringComparison.Ordinal);
        File.WriteAllLines(Results, lines);
        Assert.Contains("F32, AdamW, 0.002, seed 1:", Study(seeds: 1, "F32, AdamW"), StringComparison.Ordinal);
    }

    /// <summary>A rate that was tuned on another model and in runs of another length.</summary>
    [Fact]
    public void Rates_may_come_from_the_tuning_of_another_study()
    {
        Study(seeds: 1, "INT8 + 8");
        using var first = JsonDocument.Parse(File.ReadAllLines(Results)[0]);
        string data = first.RootElement.GetProperty("data").GetString()!;
        double[] rates = [0.0005, 0.001, 0.002, 0.004, 0.008];
        File.WriteAllLines(Results, rates.Select(rate => Line("F32, AdamW", rate, 101, rate == 0.004 ? 2 : 3)
            .Replace("demo", "9m", StringComparison.Ordinal).Replace("abc", data, StringComparison.Ordinal)));
        Assert.Contains("left out until --tune", Study(seeds: 1, "F32, AdamW", "--tuned-on", "9m"), StringComparison.Ordinal);
        Assert.Contains("left out until --tune", Study(seeds: 1, "F32, AdamW", "--tuned-steps", "10"), StringComparison.Ordinal);
        Assert.Contains("F32, AdamW, 0.004, seed 1:", Study(seeds: 1, "F32, AdamW", "--tuned-on", "9m", "--tuned-steps", "10"), StringComparison.Ordinal);
        ProcessResult unknown = QApolloProcess.RunProgram("qapollo-quality.dll", "study", "--tuned-on", "9n", "--results", Results);
        Assert.Equal(2, unknown.ExitCode);
        Assert.Contains("--tuned-on: ", unknown.Error, StringComparison.Ordinal);
    }

    /// <summary>A layer of the 60M, 32 tokens, two updates: not the paper's, which is said.</summary>
    [Fact]
    public void A_row_of_the_paper_is_trained_and_printed_beside_the_published_number()
    {
        string text = _folder.File("c4.jsonl"), run = _folder.File("paper");
        File.WriteAllLines(text, Enumerable.Range(0, 300).Select(i => $$"""{"text":"Document {{i}} tells of {{i * i}} things, none of which matter much."}"""));
        string[] command = ["paper", "--row", "q-apollo-mini-60m", "--data", text, "--output-dir", run, "--micro-batch", "2", "--"];
        string[] tiny = ["--n-layer", "1", "--seq-len", "32", "--grad-accum", "2", "--max-steps", "2", "--valid-tokens", "128", "--cache-dir", _folder.File("cache"), "--device", "cpu"];
        ProcessResult result = QApolloProcess.RunProgram("qapollo-quality.dll", [.. command, .. tiny]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Matches(@"q-apollo-mini-60m: perplexity \d+\.\d\d; published 33\.05", result.Output);
        Assert.Contains("not to be compared: --n-layer, --valid-tokens, --seq-len, --grad-accum, --max-steps, --tokenizer differ", result.Output, StringComparison.Ordinal);
        using var options = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "run.json")));
        Assert.Equal("paper", options.RootElement.GetProperty("packing").GetString());
    }

    /// <summary>Whatever is trained otherwise counts, also what the row does not set and what has no value; where it is trained does not.</summary>
    [Fact]
    public void What_another_training_is_done_with_is_said_beside_the_published_number()
    {
        ProcessResult result = Paper([.. SmallPaper, "--optimizer=sgd", "--strict", "--weight-decay", "0.1", "--seed", "2", "--threads", "1", "--eval-every", "5"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains(
            "not to be compared: --model, --strict, --valid-tokens, --seq-len, --grad-accum, --max-steps, --optimizer, --weight-decay, --seed, --tokenizer differ",
            result.Output, StringComparison.Ordinal);
    }

    /// <summary>A run goes on with what it began with, and one that has no checkpoint yet begins anew.</summary>
    [Fact]
    public void A_run_of_the_paper_that_is_another_one_is_refused()
    {
        Assert.Equal(0, Paper(SmallPaper).ExitCode);
        ProcessResult again = Paper([.. SmallPaper, "--threads", "1"]);
        Assert.True(again.ExitCode == 0, again.Error);

        // A row of its own: --weights, and an option that the row does not set.
        (string[] Words, string Message)[] others =
        [
            ([.. SmallPaper, "--weights", "bf16"], $"--weights: the run in {PaperRun} has int8, not bf16; "),
            ([.. SmallPaper, "--weight-decay", "0.1"], $"--weight-decay: the run in {PaperRun} has 0, not 0.1; "),
            ([.. SmallPaper, "--tokenizer", "cl100k_base"], $"--tokenizer: the run in {PaperRun} has bytes, not cl100k_base; "),
        ];
        foreach ((string[] words, string message) in others)
        {
            ProcessResult other = Paper(words);
            Assert.Equal(2, other.ExitCode);
            Assert.StartsWith($"qapollo-quality: {message}", other.Error, StringComparison.Ordinal);
        }

        Directory.Delete(Path.Combine(PaperRun, "step-000001"), recursive: true);
        ProcessResult anew = Paper([.. SmallPaper, "--weight-decay", "0.1"]);
        Assert.True(anew.ExitCode == 0, anew.Error);
        Assert.True(File.Exists(Path.Combine(PaperRun, "step-000001", "complete.json")));
    }

    [Fact]
    public void A_run_of_the_paper_whose_time_is_over_has_no_result_yet()
    {
        ProcessResult result = Paper([.. SmallPaper, "--max-steps", "1000000", "--hours", "0.001"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains(" of 1,000,000 updates are done; the same command goes on", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("published", result.Output, StringComparison.Ordinal);
    }

    /// <summary>Ctrl+C of a terminal reaches the training by itself; what reaches this process alone is passed on, and the training saves.</summary>
    /// <param name="toBoth">As timeout and systemd do: what is passed on then must not count as the request to abort.</param>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_signal_ends_the_training_and_then_its_parent(bool toBoth)
    {
        if (toBoth ? !OperatingSystem.IsLinux() : OperatingSystem.IsWindows())
        {
            return;
        }

        using RunningProcess paper = QApolloProcess.Start(Path.GetTempPath(), PaperCommand([.. SmallPaper, "--max-steps", "1000000"]), assembly: "qapollo-quality.dll");
        paper.WaitForSteps(PaperRun);
        paper.Send("INT");
        long written = new FileInfo(Path.Combine(PaperRun, "metrics.jsonl")).Length;
        paper.WaitFor(() => new FileInfo(Path.Combine(PaperRun, "metrics.jsonl")).Length > written);
        if (toBoth)
        {
            using var shell = System.Diagnostics.Process.Start("sh", ["-c", $"kill -TERM $(pgrep -P {paper.Id}) {paper.Id}"]);
            shell.WaitForExit();
        }
        else
        {
            paper.Send("TERM");
        }

        Assert.Equal(143, paper.WaitForEnd().ExitCode);
        Assert.Single(Directory.GetDirectories(PaperRun, "step-*"));
    }

    [Fact]
    public void A_row_that_does_not_exist_is_told_with_those_that_do()
    {
        ProcessResult result = QApolloProcess.RunProgram("qapollo-quality.dll", "paper", "--row", "7b", "--data", "x");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'7b' is none of q-apollo-mini-60m, q-apollo-mini-130m", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static string Line(string setting, double rate, int seed, double loss) => FormattableString.Invariant(
        $$"""{"model":"demo","steps":10,"data":"abc","setting":"{{setting}}","learningRate":{{rate}},"seed":{{seed}},"loss":{{loss}},"lastLoss":{{loss}},"validTokens":1024}""");

    private string WriteText()
    {
        string path = _folder.File("text.txt");
        File.WriteAllLines(path, Enumerable.Range(0, 5000).Select(i => $"Line {i} of a text that is long enough for a few steps and {i * i} words."));
        return path;
    }

    private string PaperRun => _folder.File("paper");

    /// <summary>The smallest training of a preset: one step.</summary>
    private string[] SmallPaper =>
        ["--model", "demo", "--seq-len", "32", "--grad-accum", "1", "--max-steps", "1", "--valid-tokens", "128", "--sample-tokens", "0", "--cache-dir", _folder.File("cache"), "--device", "cpu"];

    private ProcessResult Paper(string[] extra) => QApolloProcess.RunProgram("qapollo-quality.dll", PaperCommand(extra));

    private string[] PaperCommand(string[] extra)
    {
        string text = _folder.File("c4.jsonl");
        File.WriteAllLines(text, Enumerable.Range(0, 300).Select(i => $$"""{"text":"Document {{i}} tells of {{i * i}} things, none of which matter much."}"""));
        return ["paper", "--data", text, "--output-dir", PaperRun, "--micro-batch", "2", "--", .. extra];
    }

    private string WriteDocument()
    {
        string document = _folder.File("quality.md");
        File.WriteAllText(document, "text\n<!-- tables -->\nold\n");
        return document;
    }

    private ProcessResult Tables(string document) => QApolloProcess.RunProgram("qapollo-quality.dll", "tables", "--results", Results, "--document", document);

    private string Study(int seeds, string only, params string[] more)
    {
        ProcessResult result = RunStudy(seeds, only, more);
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output.ReplaceLineEndings("\n");
    }

    private ProcessResult RunStudy(int seeds, string only, params string[] more) => RunStudyOf(WriteText(), seeds, only, more);

    /// <param name="more">Go before the others.</param>
    private ProcessResult RunStudyOf(string text, int seeds, string only, params string[] more) => QApolloProcess.RunProgram(
        "qapollo-quality.dll",
        ["study", "--data", text, .. more.Contains("--steps") ? (string[])[] : ["--steps", "5"], "--valid-tokens", "1024", "--seeds", $"{seeds}", "--only", only, "--results", Results, .. more]);
}
