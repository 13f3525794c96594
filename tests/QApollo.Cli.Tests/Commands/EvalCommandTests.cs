using System.Globalization;
using System.Text.Json;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class EvalCommandTests(TrainedModel model) : IClassFixture<TrainedModel>
{
    [Fact]
    public void The_scores_fit_together_and_every_token_is_scored()
    {
        JsonElement score = Score();
        double loss = score.GetProperty("loss").GetDouble();

        // Every byte of the text and the end of its document are targets, except the first byte.
        long bytes = new FileInfo(model.Tiny.TextPath).Length;
        Assert.Equal(bytes, score.GetProperty("tokens").GetInt64());
        Assert.Equal(bytes - 1, score.GetProperty("bytes").GetInt64());
        Assert.InRange(loss, 0.5, 5.5);
        Assert.Equal(Math.Exp(loss), score.GetProperty("perplexity").GetDouble(), 1e-9);
        Assert.Equal(loss * bytes / Math.Log(2) / (bytes - 1), score.GetProperty("bitsPerByte").GetDouble(), 1e-9);
        Assert.Equal(model.Checkpoint(8), score.GetProperty("checkpoint").GetString());
    }

    [Fact]
    public void The_batch_size_changes_nothing_and_a_later_checkpoint_is_better()
    {
        double loss = Score("--batch-size", "3").GetProperty("loss").GetDouble();
        Assert.Equal(Score().GetProperty("loss").GetDouble(), loss, 1e-5);
        Assert.True(loss < Score("--checkpoint", model.Checkpoint(4)).GetProperty("loss").GetDouble());
    }

    [Fact]
    public void A_limit_scores_a_part()
    {
        // Sequences of 16, as the run had them.
        Assert.Equal(160, Score("--max-tokens", "170").GetProperty("tokens").GetInt64());
        Assert.Equal(128, Score("--max-tokens", "170", "--seq-len", "64").GetProperty("tokens").GetInt64());
    }

    [Theory]
    [InlineData("100", "note: --max-tokens 100: 96 are scored, in 6 whole sequences of 16")]
    [InlineData("96", null)]
    [InlineData("7", null)]
    [InlineData("1000000", null)]
    public void A_limit_that_is_no_multiple_of_the_sequence_says_what_is_scored(string limit, string? note)
    {
        foreach (string[] more in (string[][])[["--max-tokens", limit], ["--max-tokens", limit, "--json"]])
        {
            ProcessResult result = QApolloProcess.Run(Arguments(more));
            Assert.True(result.ExitCode == 0, result.Error);
            Assert.Equal(note, result.Error.ReplaceLineEndings("\n").Split('\n').SingleOrDefault(line => line.StartsWith("note: ", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void For_people_there_is_a_line()
    {
        ProcessResult result = QApolloProcess.Run(Arguments([]));
        Assert.Contains("bits per byte", result.Output, StringComparison.Ordinal);
        string loss = Score().GetProperty("loss").GetDouble().ToString("F4", CultureInfo.InvariantCulture);
        Assert.Contains($"loss {loss}", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_only_ends_of_documents_are_scored_there_are_no_bits_per_byte()
    {
        string path = Path.Combine(model.Tiny.Folder, "letters.jsonl");
        File.WriteAllText(path, string.Concat(Enumerable.Repeat("{\"text\":\"a\"}\n", 20)));
        string[] arguments =
        [
            "eval", "--checkpoint", model.Checkpoint(8), "--data", path, "--packing", "masked",
            "--cache-dir", Path.Combine(model.Tiny.Folder, "eval-cache"), "--threads", "1",
        ];

        JsonElement score = JsonDocument.Parse(QApolloProcess.Run([.. arguments, "--json"]).Output).RootElement;
        Assert.Equal(0, score.GetProperty("bytes").GetInt64());
        Assert.Equal(JsonValueKind.Null, score.GetProperty("bitsPerByte").ValueKind);
        Assert.DoesNotContain("bits per byte", QApolloProcess.Run(arguments).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_promises_no_mixture() =>
        Assert.DoesNotContain("WEIGHT", QApolloProcess.Run("eval", "--help").Output, StringComparison.Ordinal);

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        ProcessResult result = QApolloProcess.Run("eval", "--seq-len", "1");
        Assert.Equal(2, result.ExitCode);
        foreach (string fault in (string[])["--checkpoint: is needed", "--data: is needed", "--seq-len: '1'"])
        {
            Assert.Contains(fault, result.Error, StringComparison.Ordinal);
        }
    }

    private JsonElement Score(params string[] more)
    {
        ProcessResult result = QApolloProcess.Run([.. Arguments(more), "--json"]);
        Assert.True(result.ExitCode == 0, result.Error);
        return JsonDocument.Parse(result.Output).RootElement;
    }

    private string[] Arguments(string[] more)
    {
        string[] checkpoint = more.Contains("--checkpoint") ? [] : ["--checkpoint", model.Run];
        string cache = Path.Combine(model.Tiny.Folder, "eval-cache");
        return ["eval", .. checkpoint, "--data", model.Tiny.TextPath, "--cache-dir", cache, "--threads", "1", .. more];
    }
}
