using System.Diagnostics;
using QApollo.Files;
using QApollo.Runs;
using Xunit;

namespace QApollo.Cli.Tests.Commands;

/// <summary>`qapollo report`, and the page that each run leaves.</summary>
public class ReportCommandTests
{
    private static readonly string? Chromium = ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);

    [Fact]
    public void A_run_leaves_its_page_and_several_share_one()
    {
        using var tiny = new TinyRun();
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("first", 4, evalEvery: 2, "--sample-every", "2", "--sample-tokens", "8", "--sample-prompt", "<b>&")).ExitCode);
        Assert.Equal(0, QApolloProcess.Run(tiny.Train("second", 3, "--seed", "7", "--quiet")).ExitCode);

        string own = File.ReadAllText(Path.Combine(tiny.RunFolder("first"), "report.html"));
        Assert.Contains("4 of 4", own, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;&amp;", own, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>&", own, StringComparison.Ordinal);
        Assert.DoesNotContain("http-equiv=\"refresh\"", own, StringComparison.Ordinal);
        Assert.Equal([2, 4], SamplesFile.Read(tiny.RunFolder("first")).Select(sample => sample.Step));

        string page = Path.Combine(tiny.Folder, "both.html");
        ProcessResult both = QApolloProcess.Run("report", tiny.RunFolder("first"), tiny.RunFolder("second"), "--output", page);
        Assert.True(both.ExitCode == 0, both.Error);
        string differences = File.ReadAllText(page).Split("Where the runs differ:")[1].Split("<details")[0];
        Assert.Contains("<td>seed</td><td>1</td><td>7</td>", differences, StringComparison.Ordinal);
        Assert.DoesNotContain("<td>batchSize</td>", differences, StringComparison.Ordinal);

        ProcessResult again = QApolloProcess.Run("report", tiny.RunFolder("first"), "--output", page);
        Assert.Equal(2, again.ExitCode);
        Assert.Equal(0, QApolloProcess.Run("report", tiny.RunFolder("first"), "--output", page, "--force").ExitCode);
    }

    [Fact]
    public void Following_ends_with_the_run()
    {
        using var tiny = new TinyRun();
        string folder = MakeRun(tiny, "run", 20);
        string page = Path.Combine(folder, "report.html");
        Process follower;
        using (FolderLock.Take(folder, RunOptions.Work))
        {
            follower = QApolloProcess.Start(tiny.Folder, ["report", folder, "--follow"], out _, out _);
            for (int wait = 0; wait < 600 && !File.Exists(page); wait++)
            {
                Thread.Sleep(100);
            }

            Assert.Contains("http-equiv=\"refresh\"", File.ReadAllText(page), StringComparison.Ordinal);
        }

        using (follower)
        {
            Assert.True(follower.WaitForExit(60_000));
            Assert.Equal(0, follower.ExitCode);
            Assert.DoesNotContain("http-equiv=\"refresh\"", File.ReadAllText(page), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_is_no_run_is_told_in_one_line()
    {
        using var tiny = new TinyRun();
        string damaged = MakeRun(tiny, "damaged", 3);
        File.WriteAllText(Path.Combine(damaged, "run.json"), "{\"seed\":");
        string foreign = MakeRun(tiny, "foreign", 0);
        File.WriteAllText(Path.Combine(foreign, "metrics.jsonl"), "some log\nof something else\n");
        foreach ((string run, int code, string says) in ((string, int, string)[])
        [
            (tiny.RunFolder("none"), 2, "no such folder"),
            (tiny.Folder, 2, "run.json"),
            (MakeRun(tiny, "empty", 0), 2, "no steps yet"),
            (damaged, 1, "not valid JSON"),
            (foreign, 1, "metrics.jsonl"),
        ])
        {
            ProcessResult result = QApolloProcess.Run("report", run);
            Assert.Equal(code, result.ExitCode);
            string line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Contains(says, line, StringComparison.Ordinal);
            Assert.False(File.Exists(Path.Combine(run, "report.html")));
        }

        Assert.Equal(2, QApolloProcess.Run("report").ExitCode);
    }

    [ChromiumTheory]
    [InlineData(360)]
    [InlineData(1280)]
    public void A_browser_draws_all_curves_within_its_width(int width)
    {
        using var tiny = new TinyRun();
        string page = Path.Combine(tiny.Folder, "page.html");
        string first = MakeRun(tiny, "first", 3000);
        Assert.Equal(0, QApolloProcess.Run("report", first, MakeRun(tiny, "</script><script>document.title='taken'</script>".Replace('/', '-'), 50), "--output", page).ExitCode);

        // Headless windows are no narrower than 500 pixels: the page stands in a frame of the width that is asked for.
        string probe = Path.Combine(tiny.Folder, "probe.html");
        string content = File.ReadAllText(page).Replace("</body>", """
            <script>onerror = e => parent.document.body.append('error ' + e)</script>
            <script>addEventListener('load', () => {
              const figures = [...document.querySelectorAll('figure.curve')].filter(f => !f.hidden);
              const svg = figures[0].querySelector('svg'), box = svg.getBoundingClientRect();
              svg.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 2, clientY: box.top + 9 }));
              const tip = figures[0].querySelector('.tip');
              parent.document.body.append(`title=${document.title} figures=${figures.length} drawn=${figures.filter(f => f.querySelector('path[data-curve]').getAttribute('d').length > 9).length}`
                + ` smoothed=${figures[0].querySelectorAll('[data-curve=smoothed]').length} overflow=${document.documentElement.scrollWidth - innerWidth} tip=${tip.hidden ? '' : tip.textContent}`);
            })</script></body>
            """, StringComparison.Ordinal);
        File.WriteAllText(probe, $"<body><iframe width={width} height=900 srcdoc=\"{System.Net.WebUtility.HtmlEncode(content)}\"></iframe>");
        string dom = Browse(tiny.Folder, probe);
        Assert.DoesNotContain("</iframe>error", dom, StringComparison.Ordinal);
        Assert.Matches(@"title=2 runs figures=10 drawn=10 smoothed=2 overflow=(-\d+|0) tip=step \d", dom);
    }

    /// <summary>The page's DOM after its scripts have run.</summary>
    private static string Browse(string folder, string page)
    {
        var start = new ProcessStartInfo(Chromium!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in (string[])["--headless", "--no-sandbox", "--disable-gpu", $"--user-data-dir={Path.Combine(folder, "profile")}", "--virtual-time-budget=3000", "--dump-dom", "file://" + page])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string dom = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        return dom;
    }

    /// <summary>A folder as a run of that many steps leaves it.</summary>
    private static string MakeRun(TinyRun tiny, string name, int steps)
    {
        string folder = tiny.RunFolder(name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "run.json"), $"{{\"maxSteps\":{steps},\"seed\":{steps}}}");
        File.WriteAllText(Path.Combine(folder, "metrics.jsonl"), string.Concat(Enumerable.Range(1, steps).Select(step => FormattableString.Invariant(
            $"{{\"step\":{step},\"loss\":{4 + (3.0 / step)},\"lr\":0.01,\"tokens\":64,\"tokensPerSecond\":{100 + (step % 9)},\"gradientNorm\":{1.0 / step},\"changedShare\":0.5}}\n")
            + (step % 10 == 0 ? FormattableString.Invariant($"{{\"step\":{step},\"health\":{{\"codesChanged\":[0.1,0.2],\"updatesLost\":[0.1,0.2],\"noiseRatio\":[1,2],\"groupsRegridded\":[0,0.1],\"limited\":[0,1]}}}}\n{{\"step\":{step},\"validationLoss\":{4.2 + (3.0 / step)}}}\n") : string.Empty))));
        return folder;
    }

    private sealed class ChromiumTheoryAttribute : TheoryAttribute
    {
        public ChromiumTheoryAttribute()
        {
            if (Chromium is null)
            {
                Skip = "Chromium was not found (Debian package chromium): the page is not drawn in this run";
            }
        }
    }
}
