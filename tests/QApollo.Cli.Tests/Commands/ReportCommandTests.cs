using System.ComponentModel;
using System.Diagnostics;
using QApollo.Cli.Commands;
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
    public void A_run_that_fails_leaves_its_page_too()
    {
        using var tiny = new TinyRun();
        ProcessResult result = QApolloProcess.Run(tiny.Train("run", 30, "--lr", "3", "--warmup-steps", "20", "--on-spike", "stop"));
        Assert.True(result.ExitCode == 1, result.Output);
        Assert.Contains("the loss is", result.Error, StringComparison.Ordinal);
        Assert.Contains("report.html", result.Output, StringComparison.Ordinal);
        Assert.Contains("data-series=\"loss\"", File.ReadAllText(Path.Combine(tiny.RunFolder("run"), "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_run_and_what_cannot_be_written_is_told_in_a_line()
    {
        using var tiny = new TinyRun();
        ProcessResult none = QApolloProcess.Run("report", tiny.Folder);
        Assert.Equal((2, 1), (none.ExitCode, none.Error.Trim().Split('\n').Length));
        Assert.Contains("no run", none.Error, StringComparison.Ordinal);
        foreach ((string run, string text) in (ReadOnlySpan<(string, string)>)[("", "the name of a run is empty"), ("--folow", "--folow: report has no such option")])
        {
            ProcessResult wrong = QApolloProcess.Run("report", tiny.Folder, run);
            Assert.Equal((2, $"qapollo: {text}"), (wrong.ExitCode, wrong.Error.Trim()));
        }

        Assert.Contains("there is no such folder", QApolloProcess.Run("report", Path.Combine(tiny.Folder, "none")).Error, StringComparison.Ordinal);
        Train(tiny, "run");
        ProcessResult unwritten = QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", "/no/such/folder/x.html");
        Assert.Equal((2, 1), (unwritten.ExitCode, unwritten.Error.Trim().Split('\n').Length));
        ProcessResult folder = QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", tiny.Folder);
        Assert.Equal((2, 1), (folder.ExitCode, folder.Error.Trim().Split('\n').Length));
    }

    /// <summary>Nor is it said to be no run: that cannot be seen. As a user without rights where this one has all.</summary>
    [Fact]
    public void A_folder_without_rights_is_told()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var tiny = new TinyRun();
        string run = Directory.CreateDirectory(tiny.RunFolder("run")).FullName;
        File.WriteAllText(Path.Combine(run, "run.json"), """{"maxSteps":1}""");
        File.SetUnixFileMode(run, UnixFileMode.None);
        try
        {
            if (Call("version") is { } called && called.ExitCode == 0)
            {
                ProcessResult result = Call("report", run, "--output", "/nowhere.html")!;
                Assert.Equal((1, 1), (result.ExitCode, result.Error.Trim().Split('\n').Length));
                Assert.Contains($"{run}: cannot be read: ", result.Error, StringComparison.Ordinal);
            }
        }
        finally
        {
            File.SetUnixFileMode(run, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        static ProcessResult? Call(params string[] arguments)
        {
            string[] program = [Path.Combine(AppContext.BaseDirectory, "qapollo.dll"), .. arguments];
            string[] call = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dotnet", .. program] : ["dotnet", .. program];
            var start = new ProcessStartInfo(call[0], call[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
            (start.Environment["HOME"], start.Environment["DOTNET_EnableDiagnostics"]) = ("/", "0");
            try
            {
                using Process process = Process.Start(start)!;
                Task<string> error = process.StandardError.ReadToEndAsync();
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                return new ProcessResult(process.ExitCode, output, error.Result);
            }
            catch (Win32Exception)
            {
                // There is no setpriv here.
                return null;
            }
        }
    }

    /// <summary>A page of ours is written anew; what somebody else wrote is kept, also where a run ends.</summary>
    [Fact]
    public void What_is_no_page_of_ours_is_written_over_by_force_only()
    {
        using var tiny = new TinyRun();
        Train(tiny, "run");
        string page = Path.Combine(tiny.RunFolder("run"), "report.html"), other = Path.Combine(tiny.Folder, "other.html");
        File.WriteAllText(other, "mine");
        ProcessResult refused = QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", other);
        Assert.Equal((2, 1), (refused.ExitCode, refused.Error.Trim().Split('\n').Length));
        Assert.Contains("is no page of this program", refused.Error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(other));
        Assert.Equal(0, QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", other, "--force").ExitCode);
        Assert.Equal(0, QApolloProcess.Run("report", tiny.RunFolder("run"), "--output", other).ExitCode);
        Assert.Equal(File.ReadAllText(page), File.ReadAllText(other));

        File.WriteAllText(page, "mine");
        Assert.Contains("no report: --output: ", ReportCommand.TryWrite(tiny.RunFolder("run")), StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(page));
    }

    /// <summary>Two reports that follow the same run write the same page.</summary>
    [Fact]
    public void A_page_that_another_report_is_writing_is_waited_for()
    {
        using var tiny = new TinyRun();
        Train(tiny, "run");
        var other = new FileStream(Path.Combine(tiny.RunFolder("run"), "report.html.tmp"), FileMode.Create, FileAccess.Write, FileShare.None);
        var writer = new Thread(() =>
        {
            Thread.Sleep(150);
            other.Dispose();
        });
        writer.Start();
        Assert.Null(ReportCommand.TryWrite(tiny.RunFolder("run")));
        writer.Join();
    }

    [Fact]
    public void A_run_named_twice_is_shown_once_and_runs_of_one_name_by_their_paths()
    {
        using var tiny = new TinyRun();
        Train(tiny, "run");
        Directory.CreateDirectory(Path.Combine(tiny.Folder, "b"));
        string one = tiny.RunFolder("run"), two = Path.Combine(tiny.Folder, "b", "run"), output = Path.Combine(tiny.Folder, "page.html");
        CopyFiles(one, Directory.CreateDirectory(two).FullName);
        Assert.Equal(0, QApolloProcess.Run("report", one, one + Path.DirectorySeparatorChar, "--output", output).ExitCode);
        Assert.Contains("<title>Run run</title>", File.ReadAllText(output), StringComparison.Ordinal);
        Assert.Equal(0, QApolloProcess.Run("report", one, two, "--output", output).ExitCode);
        Assert.All([one, two], run => Assert.Contains($"</span>{run}</span>", File.ReadAllText(output), StringComparison.Ordinal));

        static void CopyFiles(string from, string to)
        {
            foreach (string file in Directory.GetFiles(from))
            {
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
            }
        }
    }

    /// <summary>
    /// In headless Chromium, at the width of a desktop and of a phone: every chart is drawn, nothing is wider than the window, and a chart tells the
    /// values below the pointer. In a frame: no window of Chromium is as narrow as a phone.
    /// </summary>
    [WithChromiumTheory]
    [InlineData(1200)]
    [InlineData(390)]
    public void Curves_are_drawn_in_a_browser(int width)
    {
        using var tiny = new TinyRun();
        Train(tiny, "run");
        string page = Path.Combine(tiny.RunFolder("run"), "report.html"), frame = Path.Combine(tiny.Folder, "frame.html");
        File.AppendAllText(page, """
            <script>const charts=[...document.querySelectorAll('.curve')],middle=charts[0].querySelector('svg').getBoundingClientRect();
            charts[0].querySelector('svg').dispatchEvent(new PointerEvent('pointermove',{clientX:middle.x+middle.width,clientY:middle.y+50}));
            const seen=[charts.length>5&&charts.every(c=>c.querySelector('svg path')&&c.querySelectorAll('svg text').length>3),document.documentElement.scrollWidth<=innerWidth,charts[0].querySelector('.tip').textContent];
            document.querySelector('[data-x="1"]').click();
            parent.postMessage([innerWidth,...seen,document.querySelector('#axis .on').textContent].join('; '),'*')</script>
            """);
        File.WriteAllText(frame, $"<title>nothing</title><script>onmessage=e=>document.title=e.data</script><iframe src=\"{new Uri(page).AbsoluteUri}\" style=\"width:{width}px;height:2000px;border:0\"></iframe>");
        var start = new ProcessStartInfo("chromium")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,2100", $"--user-data-dir={tiny.Folder}/browser", "--dump-dom", new Uri(frame).AbsoluteUri },
        };
        using Process browser = Process.Start(start)!;
        Task<string> errors = browser.StandardError.ReadToEndAsync();
        string dom = browser.StandardOutput.ReadToEnd();
        Assert.True(browser.WaitForExit(TimeSpan.FromMinutes(2)), errors.Result);
        Assert.Matches($@"<title>{width}; true; true; step 30, \d+(\.\d+)?\s*; tokens</title>", dom);
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
