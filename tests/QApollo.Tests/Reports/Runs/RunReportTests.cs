using System.Text;
using QApollo.Reports.Runs;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Reports.Runs;

public sealed class RunReportTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void A_log_has_what_the_files_tell()
    {
        Write("run.json", """{"lr":0.01,"data":["a.txt","b.txt"]}""");
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
        Assert.Equal([("lr", "0.01"), ("data", "a.txt b.txt")], log.Options);
        Assert.Equal([("device", "cuda")], log.Sessions[^1]);
    }

    [Fact]
    public void Energy_is_told_per_million_tokens_over_the_steps_that_have_it()
    {
        Write("run.json", "{}");
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
        Write("run.json", "{}");
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
    }

    /// <summary>A line of 3 MB is none of ours; memory stays bounded and the lines behind it are read.</summary>
    [Fact]
    public void A_line_without_end_is_passed_over()
    {
        Write("run.json", "{}");
        Write("metrics.jsonl", new string('x', 3 << 20) + "\n{\"step\":7,\"loss\":1,\"tokens\":1,\"tokensPerSecond\":1}\n");
        Assert.Equal(7, RunLog.Read(_folder.Path).Steps);
    }

    [Fact]
    public void Text_of_files_cannot_leave_its_place_in_the_page()
    {
        const string Attack = "</script></pre><script>alert(1)</script>";
        Write("run.json", $$"""{"{{Attack}}":"{{Attack}}"}""");
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
        Write("run.json", """{"seed":1,"lr":0.01}""");
        RunLog one = RunLog.Read(_folder.Path) with { Name = "one" };
        Write("run.json", """{"seed":1,"lr":0.02}""");
        RunLog two = RunLog.Read(_folder.Path) with { Name = "two" };
        string page = RunReportHtml.Of([one, two]);
        Assert.Contains("<td><b>lr</b></td><td><b>0.01</b></td><td><b>0.02</b></td>", page, StringComparison.Ordinal);
        Assert.True(page.IndexOf("<b>lr</b>", StringComparison.Ordinal) < page.IndexOf(">seed<", StringComparison.Ordinal));
    }

    public void Dispose() => _folder.Dispose();

    private void Write(string name, string content) => File.WriteAllText(_folder.File(name), content.ReplaceLineEndings("\n"), new UTF8Encoding(false));
}
