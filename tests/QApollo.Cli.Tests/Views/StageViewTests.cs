using QApollo.Cli.Views;
using QApollo.Files;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public sealed class StageViewTests : IDisposable
{
    private readonly StringWriter output = new();
    private readonly ManualTime time = new();

    public void Dispose() => output.Dispose();

    [Fact]
    public void A_terminal_sees_each_stage_at_once_how_far_it_is_and_nothing_at_the_end()
    {
        using (var view = new StageView(output, interactive: true, time))
        {
            view.Report(new StageProgress("measuring", 0, 0));
            view.Report(new StageProgress("reading", 0, 100));
            view.Report(new StageProgress("reading", 10, 100));
            Assert.Equal("\rmeasuring\rreading  0 %", Written());
            time.Advance(seconds: 10);
            view.Report(new StageProgress("reading", 25, 100));
            Assert.Equal("\rreading 25 %, 0:00:30 left", Written());
            view.Report(new StageProgress("reading", 100, 100));
            Assert.Matches("^\r +\r$", Written());
            view.Report(new StageProgress("again", 0, 0));
            Assert.StartsWith("\ragain", Written(), StringComparison.Ordinal);
        }

        Assert.Matches("^\r +\r$", Written());
    }

    [Fact]
    public void A_pipe_gets_a_line_now_and_then_and_none_for_what_is_over_soon()
    {
        using var view = new StageView(output, interactive: false, time);
        view.Report(new StageProgress("reading", 0, 100));
        time.Advance(seconds: 4);
        view.Report(new StageProgress("reading", 40, 100));
        view.Report(new StageProgress("reading", 100, 100));
        time.Advance(seconds: 20);
        view.Report(new StageProgress("timing", 0, 10));
        view.Report(new StageProgress("timing", 1, 10));
        Assert.Equal(string.Empty, Written());
        time.Advance(seconds: 6);
        view.Report(new StageProgress("timing", 5, 10));
        time.Advance(seconds: 1);
        view.Report(new StageProgress("timing", 6, 10));
        time.Advance(seconds: 5);
        view.Report(new StageProgress("timing", 8, 10));
        Assert.Equal("timing 50 %, 0:00:06 left\ntiming 80 %, 0:00:03 left\n", Written());
    }

    /// <summary>Since the last call.</summary>
    private string Written()
    {
        string text = output.ToString().Replace(Environment.NewLine, "\n", StringComparison.Ordinal);
        output.GetStringBuilder().Clear();
        return text;
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _seconds;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _seconds;

        public void Advance(int seconds) => _seconds += seconds;
    }
}
