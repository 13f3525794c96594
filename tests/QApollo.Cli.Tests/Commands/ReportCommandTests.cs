using System.Diagnostics;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

public class ReportCommandTests
{
    [Fact]
    public void A_run_leaves_its_page_and_runs_are_set_beside_each_other()
    {
        using var tiny = new TinyRun();
        Assert.Contains("report.html", Train(tiny, "one").Output, StringComparison.Ordinal);
        Train(tiny, "two", "--lr", "0.002");
        string page = File.ReadAllText(Path.Combine(tiny.RunFolder("one"), "report.html"));
        Assert.All(["data-series=\"loss\"", "data-series=\"validationLoss\"", "data-series=\"codesChanged\"", "Samples", "batchSize", "processors"], part => Assert.Contains(part, page, StringComparison.Ordinal));
        Assert.DoesNotContain("http-equiv", page, StringComparison.Ordinal);

        string both = Path.Combine(tiny.Folder, "both.html");
        ProcessResult result = QApolloProcess.Run("report", tiny.RunFolder("one"), tiny.RunFolder("two"), "--output", both, "--follow");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(both, result.Output.Trim());
        Assert.Contains("<td><b>lr</b></td><td><b>0.01</b></td><td><b>0.002</b></td>", File.ReadAllText(both), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_run_and_what_cannot_be_written_is_told_in_a_line()
    {
        using var tiny = new TinyRun();
        ProcessResult none = QApolloProcess.Run("report", tiny.Folder);
        Assert.Equal((2, 1), (none.ExitCode, none.Error.Trim().Split('\n').Length));
        Assert.Contains("no run", none.Error, StringComparison.Ordinal);
        Train(tiny, "run");
        ProcessResult unwritten = QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", "/no/such/folder/x.html");
        Assert.Equal((1, 1), (unwritten.ExitCode, unwritten.Error.Trim().Split('\n').Length));
    }

    /// <summary>In headless Chromium, at the width of a desktop and of a phone: every chart is drawn, and nothing is wider than the window.</summary>
    [WithChromiumTheory]
    [InlineData(1200)]
    [InlineData(390)]
    public void Curves_are_drawn_in_a_browser(int width)
    {
        using var tiny = new TinyRun();
        Train(tiny, "run");
        string page = Path.Combine(tiny.RunFolder("run"), "report.html");
        File.AppendAllText(page, "<script>document.title=JSON.stringify([document.querySelectorAll('.curve').length,document.querySelectorAll('.curve svg path').length,document.documentElement.scrollWidth<=innerWidth])</script>");
        var start = new ProcessStartInfo("chromium")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "--headless", "--no-sandbox", "--disable-gpu", $"--window-size={width},900", $"--user-data-dir={tiny.Folder}/browser", "--dump-dom", new Uri(page).AbsoluteUri },
        };
        using Process browser = Process.Start(start)!;
        Task<string> errors = browser.StandardError.ReadToEndAsync();
        string dom = browser.StandardOutput.ReadToEnd();
        Assert.True(browser.WaitForExit(TimeSpan.FromMinutes(2)), errors.Result);
        Assert.Matches(@"<title>\[(\d+),[1-9]\d*,true\]</title>", dom);
        Assert.DoesNotContain("<title>[0,", dom, StringComparison.Ordinal);
    }

    private static ProcessResult Train(TinyRun tiny, string run, params string[] more)
    {
        ProcessResult result = QApolloProcess.Run(tiny.Train(run, 30, evalEvery: 10, [.. more, "--sample-every", "10"]));
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithChromiumTheoryAttribute : TheoryAttribute
    {
        public WithChromiumTheoryAttribute()
        {
            string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, "chromium"))))
            {
                Skip = "chromium was not found";
            }
        }
    }
}
