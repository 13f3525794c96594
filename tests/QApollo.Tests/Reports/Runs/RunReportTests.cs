using System.Text;
using QApollo.Reports.Runs;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Reports.Runs;

public sealed class RunReportTests : IDisposable
{
    private const string Options = """{"maxSteps":9}""";

    private readonly TempFolder _folder = new();

    [Fact]
    public void A_log_has_what_the_files_tell()
    {
        Write("run.json", """{"lr":0.01,"data":["a.txt","b.txt"],"maxSteps":9}""");
        Write("metrics.jsonl", """
            {"step":1,"loss":5,"lr":0.001,"tokens":100,"tokensPerSecond":50,"gradientNorm":2,"changedShare":0.5}
            {"step":2,"loss":null,"lr":0.002,"tokens":100,"tokensPerSecond":25}
            {"step":2,"validationLoss":4.5,"validationLossBySource":{"a":4,"b":5}}
            {"step":2,"health":{"codesChanged":[0.25,0.75],"strange":[1]}}

            """);
        Write("samples.jsonl", """
            {"step":2,"sample":"one\ntwo"}

            """);
        Write("sessions.jsonl", """
            {"device":"cpu"}
            {"device":"cuda"}

            """);
        var log = RunLog.Read(_folder.Path);
        Assert.Equal((2, 200L, 6.0), (log.Steps, log.Tokens, log.Seconds));
        Assert.Equal(new SeriesPoint(1, 100, 2, 5, 5, 5), Assert.Single(log.Series["loss"]));
        Assert.Equal(4.5, Assert.Single(log.Series["validationLoss"]).Mean);
        Assert.Equal(0.5, Assert.Single(log.Series["codesChanged"]).Mean);
        Assert.False(log.Series.ContainsKey("strange"));
        Assert.Equal(new LoggedSample(2, "one\ntwo"), Assert.Single(log.Samples));
        Assert.Equal([("lr", "0.01"), ("data", "a.txt b.txt"), ("maxSteps", "9")], log.Options);
        Assert.Equal([("device", "cuda")], log.Sessions[^1]);
    }

    [Fact]
    public void Energy_is_told_per_million_tokens_over_the_steps_that_have_it()
    {
        Write("run.json", Options);
        Write("metrics.jsonl", """
            {"step":1,"loss":5,"tokens":1000,"tokensPerSecond":50}
            {"step":2,"loss":5,"tokens":1000,"tokensPerSecond":50,"temperature":60,"power":200,"clock":1800,"energy":3000}
            {"step":3,"loss":5,"tokens":1000,"tokensPerSecond":50,"temperature":64,"power":220,"clock":1790,"energy":4200}
            {"step":4,"loss":5,"tokens":1000,"tokensPerSecond":50,"energy":-5}

            """);
        var log = RunLog.Read(_folder.Path);
        Assert.Equal((7200.0, 3.6), (log.Joules, log.JoulesPerToken));
        Assert.Equal([60.0, 64.0], log.Series["temperature"].Select(point => point.Mean));
        string page = RunReportHtml.Of([log]);
        Assert.Contains("data-series=\"power\"", page, StringComparison.Ordinal);
        Assert.Contains("Wh per million tokens", page, StringComparison.Ordinal);
        Assert.Contains("1000", page, StringComparison.Ordinal);
        Assert.Contains("Wh/million tokens", RunReportHtml.Of([log, log]), StringComparison.Ordinal);
        Write("metrics.jsonl", "{\"step\":1,\"loss\":5,\"tokens\":1000,\"tokensPerSecond\":50}\n");
        Assert.DoesNotContain("Wh", RunReportHtml.Of([RunLog.Read(_folder.Path)]).Split("<script>")[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no json\n")]
    [InlineData("[1]\n\"text\"\n{}\n{\"step\":\"x\"}\n{\"step\":1e99,\"loss\":1}\n")]
    [InlineData("{\"step\":1,\"loss\":\"x\",\"tokens\":{},\"health\":[1]}\n{\"step\":2,\"lo")]
    public void Broken_files_give_a_page_without_curves(string content)
    {
        Write("run.json", Options);
        foreach (string name in (string[])["metrics.jsonl", "samples.jsonl", "sessions.jsonl"])
        {
            Write(name, content);
        }

        string page = RunReportHtml.Of([RunLog.Read(_folder.Path)]);
        Assert.DoesNotContain("class=\"curve\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_is_no_run_is_told()
    {
        Assert.Contains("no run: it has no run.json", Assert.Throws<UsageException>(() => RunLog.Read(_folder.Path)).Message, StringComparison.Ordinal);
        Write("run.json", "[1");
        Assert.Throws<InvalidFileException>(() => RunLog.Read(_folder.Path));
        Write("run.json", """{"name":"of another program"}""");
        Assert.Contains("of another program", Assert.Throws<UsageException>(() => RunLog.Read(_folder.Path)).Message, StringComparison.Ordinal);
        Write("run.json", Options);
        Directory.CreateDirectory(_folder.File("metrics.jsonl"));
        Assert.Contains("metrics.jsonl: is a folder", Assert.Throws<InvalidFileException>(() => RunLog.Read(_folder.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>No number of a file is too large for a page.</summary>
    [Theory]
    [InlineData("""{"step":1,"loss":1e300,"tokens":100,"tokensPerSecond":50}""")]
    [InlineData("""{"step":1,"loss":-1e39,"tokens":100,"tokensPerSecond":50}""")]
    [InlineData("""{"step":1,"loss":1e999999999999,"tokens":100,"tokensPerSecond":50}""")]
    [InlineData("""{"step":1,"loss":1,"tokens":1e300,"tokensPerSecond":50}""")]
    [InlineData("""{"step":1,"loss":1,"tokens":1e18,"tokensPerSecond":50,"energy":1e308}""")]
    [InlineData("""{"step":1,"loss":1,"tokens":1e9,"tokensPerSecond":6e-300}""")]
    [InlineData("""{"step":1,"loss":1,"tokens":100,"tokensPerSecond":-5}""")]
    [InlineData("""{"step":1,"health":{"codesChanged":[1e308,1e308,1e308]}}""")]
    public void Giant_values_leave_sums_and_pages_whole(string line)
    {
        Write("run.json", Options);
        Write("metrics.jsonl", string.Concat(Enumerable.Repeat(line + "\n", 20)) + "{\"step\":2,\"loss\":2,\"tokens\":100,\"tokensPerSecond\":50,\"energy\":7}\n");
        var log = RunLog.Read(_folder.Path);
        Assert.InRange(log.Tokens, 100, 100 + (20 * 1_000_000_000L));
        Assert.InRange(log.Seconds, 2, 42);
        Assert.Equal(7, log.Joules);
        Assert.Equal(2, log.Series["loss"][^1].Mean);
        Assert.Contains("class=\"curve\"", RunReportHtml.Of([log]), StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_that_took_no_time_have_no_speed()
    {
        Write("run.json", Options);
        Write("metrics.jsonl", "{\"step\":1,\"loss\":1,\"tokens\":100,\"tokensPerSecond\":0}\n");
        Assert.Contains("<b>-</b><span>tokens per second, mean", RunReportHtml.Of([RunLog.Read(_folder.Path)]), StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_that_are_passed_over_are_told_but_not_one_that_is_being_written()
    {
        Write("run.json", Options);
        Write("metrics.jsonl", "{\"step\":1,\"loss\":1}\nno json\n[1]\n" + new string('x', 3 << 20) + "\n{\"step\":2,\"loss\":9");
        Write("samples.jsonl", "\n");
        var log = RunLog.Read(_folder.Path);
        Assert.Equal(1, log.Steps);
        Assert.Equal([$"{_folder.File("metrics.jsonl")}: 3 lines that are no JSON objects were passed over", $"{_folder.File("samples.jsonl")}: 1 line that is no JSON object was passed over"], log.Notes);
    }

    /// <summary>A line has more in it than is drawn, in any order; of a value that stands twice the last one counts.</summary>
    [Fact]
    public void Lines_are_read_whatever_else_they_have()
    {
        Write("run.json", Options);
        Write("metrics.jsonl", """
            {"future":{"loss":[7,{"step":3}]},"loss":4,"other":[[1],{"a":2}],"loss":5,"step":1,"tokens":10,"tokensPerSecond":5}
            {"step":1,"health":{"new":{"codesChanged":[9]},"codesChanged":[0.5,[8],null,{"x":1},0.7],"limited":0.5},"lr":0.25}

            """);
        var log = RunLog.Read(_folder.Path);
        Assert.Equal(5, Assert.Single(log.Series["loss"]).Mean);
        Assert.Equal(0.6, Assert.Single(log.Series["codesChanged"]).Mean, 12);
        Assert.Equal(0.25, Assert.Single(log.Series["lr"]).Mean);
        Assert.Equal(["codesChanged", "loss", "lr", "tokensPerSecond"], log.Series.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Pages_know_their_own()
    {
        Write("run.json", Options);
        Write("page.html", RunReportHtml.Of([RunLog.Read(_folder.Path)]));
        Write("other.html", "<!DOCTYPE html><html></html>");
        Write("empty.html", "");
        Assert.True(RunReportHtml.IsPage(_folder.File("page.html")));
        Assert.All(["other.html", "empty.html", "none.html", "."], name => Assert.False(RunReportHtml.IsPage(_folder.File(name))));
    }

    /// <summary>A line of 3 MB is none of ours; memory stays bounded and the lines behind it are read.</summary>
    [Fact]
    public void A_line_without_end_is_passed_over()
    {
        Write("run.json", Options);
        Write("metrics.jsonl", new string('x', 3 << 20) + "\n{\"step\":7,\"loss\":1,\"tokens\":1,\"tokensPerSecond\":1}\n");
        Assert.Equal(7, RunLog.Read(_folder.Path).Steps);
    }

    [Fact]
    public void Text_of_files_cannot_leave_its_place_in_the_page()
    {
        const string Attack = "</script></pre><script>alert(1)</script>";
        Write("run.json", $$"""{"maxSteps":1,"{{Attack}}":"{{Attack}}"}""");
        Write("samples.jsonl", $$"""{"step":1,"sample":"{{Attack}}"}""" + "\n");
        Write("metrics.jsonl", """{"step":1,"loss":1,"tokens":1,"tokensPerSecond":1}""" + "\n");
        RunLog log = RunLog.Read(_folder.Path) with { Name = Attack };
        string page = RunReportHtml.Of([log, log]);
        Assert.DoesNotContain("alert(1)</script>", page, StringComparison.Ordinal);
        Assert.Equal(1, page.Split("<script>").Length - 1);
    }

    [Fact]
    public void What_differs_between_runs_comes_first()
    {
        Write("run.json", """{"maxSteps":1,"seed":1,"lr":0.01}""");
        RunLog one = RunLog.Read(_folder.Path) with { Name = "one" };
        Write("run.json", """{"maxSteps":1,"seed":1,"lr":0.02}""");
        RunLog two = RunLog.Read(_folder.Path) with { Name = "two" };
        string page = RunReportHtml.Of([one, two]);
        Assert.Contains("<td><b>lr</b></td><td><b>0.01</b></td><td><b>0.02</b></td>", page, StringComparison.Ordinal);
        Assert.True(page.IndexOf("<b>lr</b>", StringComparison.Ordinal) < page.IndexOf(">seed<", StringComparison.Ordinal));
    }

    public void Dispose() => _folder.Dispose();

    private void Write(string name, string content) => File.WriteAllText(_folder.File(name), content.ReplaceLineEndings("\n"), new UTF8Encoding(false));
}
