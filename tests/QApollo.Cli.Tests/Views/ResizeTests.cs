using QApollo.Cli.Views;
using QApollo.Training;
using Xunit;

namespace QApollo.Cli.Tests.Views;

/// <summary>The live view in a window whose size changes while the run goes on.</summary>
public class ResizeTests
{
    private static readonly RunFacts Facts = new("demo, 867,456 parameters, checkpoints/demo", 10, 1 << 20, 1 << 20, () => 2 << 20);

    [Fact]
    public void Every_size_shows_a_whole_view_and_nothing_of_the_one_before()
    {
        var terminal = new SimulatedTerminal(100, 30);
        using (LiveView view = Begin(terminal))
        {
            foreach ((int width, int height) in ((int, int)[])[(100, 30), (60, 15), (20, 5), (1, 1), (140, 50), (60, 15), (300, 3)])
            {
                terminal.Resize(width, height);
                terminal.Echo("^C");
                terminal.WaitForFrames();
                string[] rows = terminal.Second;
                int filled = rows.TakeWhile(row => row.Length > 0).Count();
                Assert.All(rows[filled..], row => Assert.Equal(string.Empty, row));
                Assert.InRange(filled, 1, height);
                Assert.Equal(Lines(width, height), filled);
                Assert.DoesNotContain(rows, row => row.Contains("^C", StringComparison.Ordinal));
                Assert.False(terminal.IsCursorShown || terminal.HidesText);
                Assert.Equal(string.Empty, terminal.First);
            }
        }

        // One frame stays, at the last width.
        Assert.True(terminal.IsCursorShown && !terminal.IsSecondShown);
        string[] last = terminal.First.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.Equal(Lines(300, int.MaxValue), last.Length);
        Assert.Contains("a sample", terminal.First, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_signal_gives_the_first_screen_back_at_once()
    {
        var terminal = new SimulatedTerminal(80, 24);
        using (LiveView view = Begin(terminal))
        {
            terminal.WaitForFrames();
            view.Abort();
            int frames = terminal.Frames;
            Assert.True(terminal.IsCursorShown && !terminal.IsSecondShown);
            Thread.Sleep(500);
            Assert.Equal(frames, terminal.Frames);
        }

        Assert.Equal(string.Empty, terminal.First);
    }

    private static LiveView Begin(SimulatedTerminal terminal)
    {
        var view = new LiveView(Facts, terminal.Console());
        view.Begin(completedSteps: 0);
        Tell(view);
        return view;
    }

    private static void Tell(QApollo.Runs.IRunObserver view)
    {
        view.OnStep(new StepResult(1, 5, 0.01f, 100, 1, 0.5), 1000);
        view.OnStep(new StepResult(2, 4, 0.01f, 100, 1, 0.5), 1000);
        view.OnStep(new StepResult(3, 3, 0.01f, 100, 1, 0.5), 1000);
        view.OnValidation(3, 3.5);
        view.OnSample(3, "a sample of what the model writes, long enough to fill more than one line of a narrow terminal");
        view.OnWarning("watch out");
    }

    private static int Lines(int width, int height)
    {
        var status = new RunStatus(Facts, firstStep: 0);
        Tell(status);
        return LiveScreen.Render(status.Snapshot(), width, height, unicode: true).Count;
    }
}
