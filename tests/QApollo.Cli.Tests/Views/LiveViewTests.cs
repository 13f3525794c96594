using QApollo.Cli.Views;
using QApollo.Training;
using Spectre.Console;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class LiveViewTests
{
    private static readonly RunFacts Facts = new("title", 10, 1 << 20, 1 << 20, () => 2 << 20);

    [Fact]
    public void The_last_state_stays_on_the_screen()
    {
        using var output = new StringWriter();
        using (var view = new LiveView(Facts, Terminal(output)))
        {
            view.Begin(completedSteps: 4);
            view.OnStep(new StepResult(5, 1.25, 0.01f, 100, 1, 0.5), 1000);
            view.OnValidation(5, 1.5);
            view.OnSaved("run/step-000005");
            view.OnSample(5, "a sample");
            view.OnWarning("watch out");
        }

        string last = output.ToString()[output.ToString().LastIndexOf("title", StringComparison.Ordinal)..];
        foreach (string part in (string[])["step 5/10", "1.2500", "1.5000 at step 5", "step-000005", "a sample", "watch out", "1.00 MiB planned, 1.00 MiB allocated", "2.00 MiB of host memory"])
        {
            Assert.Contains(part, last, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_view_that_never_began_can_be_disposed()
    {
        using var output = new StringWriter();
        new LiveView(Facts, Terminal(output)).Dispose();
        Assert.Empty(output.ToString());
    }

    [Fact]
    public void A_terminal_that_goes_away_does_not_end_the_run()
    {
        using var gone = new BrokenWriter();
        using var view = new LiveView(Facts, Terminal(gone));
        view.Begin(0);
        view.OnStep(new StepResult(1, 1, 0.01f, 100, 1, 0.5), 1000);
        Assert.True(gone.WasUsed.Wait(TimeSpan.FromMinutes(1)));
        view.OnStep(new StepResult(2, 1, 0.01f, 100, 1, 0.5), 1000);
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        var status = new RunStatus(Facts, firstStep: 0);
        status.OnStep(new StepResult(1, 1, 0.01f, 100, 1, 0.5), 1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 2; step < 2000; step++)
        {
            status.OnStep(new StepResult(step, 1, 0.01f, 100, 1, 0.5), 1000);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Averages_have_no_bias_towards_zero_and_warnings_are_bounded()
    {
        var status = new RunStatus(Facts, firstStep: 3);
        Assert.Equal(3, status.Snapshot().Step);
        for (int step = 4; step < 9; step++)
        {
            status.OnStep(new StepResult(step, 2, 0.01f, 100, 1, 0.5), 500);
            status.OnWarning($"warning {step}");
        }

        RunSnapshot snapshot = status.Snapshot();
        Assert.Equal(2, snapshot.SmoothedLoss, 9);
        Assert.Equal(500, snapshot.TokensPerSecond, 6);
        Assert.Equal(["warning 6", "warning 7", "warning 8"], snapshot.Warnings);
    }

    private static IAnsiConsole Terminal(TextWriter output)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = 100;
        console.Profile.Height = 50;
        return console;
    }

    private sealed class BrokenWriter : StringWriter
    {
        public ManualResetEventSlim WasUsed { get; } = new();

        public override void Write(char value) => Fail();

        public override void Write(string? value) => Fail();

        public override void Flush() => Fail();

        protected override void Dispose(bool disposing)
        {
            WasUsed.Dispose();
            base.Dispose(disposing);
        }

        private void Fail()
        {
            WasUsed.Set();
            throw new IOException("the terminal is gone");
        }
    }
}
