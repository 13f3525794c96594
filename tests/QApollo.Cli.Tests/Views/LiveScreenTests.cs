using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

/// <summary>The live screen, as text, at three widths.</summary>
public class LiveScreenTests
{
    private static readonly RunSnapshot Run = new()
    {
        Title = "demo, 867,456 parameters, checkpoints/demo-20260101-120000",
        MaxSteps = 400,
        Step = 120,
        Loss = 2.34567,
        SmoothedLoss = 2.40123,
        LearningRate = 0.00912345,
        TokensPerSecond = 12345.6,
        Validation = (100, 2.5),
        Elapsed = TimeSpan.FromSeconds(18),
        Left = TimeSpan.FromSeconds(41),
        PlannedBytes = 12 << 20,
        AllocatedBytes = 12 << 20,
        ProcessBytes = 85 << 20,
        Checkpoint = Path.Combine("checkpoints", "demo", "step-000100"),
        Sample = (100, "The quick brown fox\njumps over the lazy dog, and \u001b[31mthen goes on to say things that no fox would ever say to anybody."),
        Warnings = ["step 1 left 1 parameters as they were"],
        Curve = [5.5, 5.0, 4.4, 4.0, 3.5, 3.2, 3.0, 2.8, 2.6, 2.5, 2.4, 2.35],
    };

    [Fact]
    public void The_sensors_of_a_card_have_a_field()
    {
        Assert.DoesNotContain(LiveScreen.Render(Run, 80, 40, true), line => line.Text.StartsWith("card", StringComparison.Ordinal));
        Assert.Contains(LiveScreen.Render(Run with { Sensors = "63 °C, 212 W, 1,860 MHz" }, 80, 40, true), line => line.Text == "card        63 °C, 212 W, 1,860 MHz");
    }

    [Fact]
    public void At_40_columns() => Equal(
        40,
        """
        demo, 867,456 parameters, checkpoints/d
        step 120/400 30%
        0:18, 0:41 left
        loss        2.3457  smoothed 2.4012
        validation  2.5000 at step 100
        lr          0.00912
        speed       12,346 tokens/s
        arena       12.00 MiB planned, 12.00 Mi
        process     85.00 MiB of host memory
        checkpoint  step-000100
           5.50 ███▃▃▃
                ██████▅▅▁▁▁
                ███████████▄▄▁▁▁
           2.35 ████████████████▇▇▇▅▅▃▃▃▂▂▁▁▁▁▁
        sample at step 100
        The quick brown fox jumps over the lazy
        dog, and �[31mthen goes on to say
        things that no fox would ever say to
        anybody.
        warning: step 1 left 1 parameters as th
        """);

    [Fact]
    public void At_80_columns() => Equal(
        80,
        """
        demo, 867,456 parameters, checkpoints/demo-20260101-120000
        step 120/400  ████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   30%  0:18, 0:41 left
        loss        2.3457  smoothed 2.4012
        validation  2.5000 at step 100
        lr          0.00912
        speed       12,346 tokens/s
        arena       12.00 MiB planned, 12.00 MiB allocated
        process     85.00 MiB of host memory
        checkpoint  step-000100
           5.50 ██████▃▃▃▃▃▃
                ████████████▅▅▅▅▅▅▁▁▁▁▁▁
                ████████████████████████▄▄▄▄▄▄▁▁▁▁▁▁
           2.35 ████████████████████████████████████▇▇▇▇▇▇▅▅▅▅▅▅▃▃▃▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁
        sample at step 100
        The quick brown fox jumps over the lazy dog, and �[31mthen goes on to say
        things that no fox would ever say to anybody.
        warning: step 1 left 1 parameters as they were
        """);

    [Fact]
    public void At_120_columns() => Equal(
        120,
        """
        demo, 867,456 parameters, checkpoints/demo-20260101-120000
        step 120/400  ██████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   30%  0:18, 0:41 left
        loss        2.3457  smoothed 2.4012                 validation  2.5000 at step 100
        lr          0.00912                                 speed       12,346 tokens/s
        arena       12.00 MiB planned, 12.00 MiB allocated  process     85.00 MiB of host memory
        checkpoint  step-000100
           5.50 ██████████▃▃▃▃▃▃▃▃▃
                ███████████████████▅▅▅▅▅▅▅▅▅▁▁▁▁▁▁▁▁▁
                █████████████████████████████████████▄▄▄▄▄▄▄▄▄▄▁▁▁▁▁▁▁▁▁
           2.35 ████████████████████████████████████████████████████████▇▇▇▇▇▇▇▇▇▅▅▅▅▅▅▅▅▅▃▃▃▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
        sample at step 100
        The quick brown fox jumps over the lazy dog, and �[31mthen goes on to say things that no fox would ever say to anybody.
        warning: step 1 left 1 parameters as they were
        """);

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(13)]
    [InlineData(20)]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(120)]
    [InlineData(500)]
    public void No_line_reaches_the_last_column(int width)
    {
        foreach (RunSnapshot run in (RunSnapshot[])[Run, Begin, Run with { Sample = (1, "日本語のテキスト、どこまでも続く長い文章です。日本語のテキスト、どこまでも続く長い文章です。") }])
        {
            Assert.All(Lines(run, width, unicode: true), line => Assert.True(new Spectre.Console.Rendering.Segment(line).CellCount() < Math.Max(2, width), line));
        }
    }

    [Fact]
    public void A_low_terminal_keeps_what_matters_most()
    {
        Assert.Equal(["step 120/400  " + new string('█', 12) + new string('░', 30) + "   30%  0:18, 0:41 left"], Lines(Run, 80, unicode: true, height: 1));
        string[] three = Lines(Run, 80, unicode: true, height: 3);
        Assert.StartsWith("step 120/400", three[0], StringComparison.Ordinal);
        Assert.Equal(["loss        2.3457  smoothed 2.4012", "warning: step 1 left 1 parameters as they were"], three[1..]);
    }

    [Fact]
    public void Lines_never_exceed_the_height_and_a_curve_is_whole_or_not_there()
    {
        foreach (int width in (int[])[1, 10, 40, 80, 200])
        {
            int all = Lines(Run, width, unicode: true).Length;
            for (int height = 1; height <= all + 2; height++)
            {
                string[] lines = Lines(Run, width, unicode: true, height);
                Assert.InRange(lines.Length, 1, Math.Min(height, all));
                int curve = lines.Count(line => line.TrimStart().Contains('█', StringComparison.Ordinal) && !line.StartsWith("step", StringComparison.Ordinal));
                Assert.True(curve is 0 or 4, $"{curve} lines of the curve at {width} x {height}");
            }

            Assert.Equal(all, Lines(Run, width, unicode: true, height: all).Length);
        }
    }

    [Fact]
    public void A_run_that_has_not_begun_shows_no_numbers_that_are_none()
    {
        string text = string.Join('\n', Lines(Begin, 80, unicode: true));
        Assert.DoesNotContain("NaN", text, StringComparison.Ordinal);
        Assert.Contains("step 0/400", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_unicode_there_are_only_ASCII_characters() =>
        Assert.All(string.Join('\n', Lines(Run with { Sample = null }, 80, unicode: false)), character => Assert.InRange(character, '\n', '~'));

    [Fact]
    public void Text_by_the_model_cannot_steer_the_terminal() =>
        Assert.All(Lines(Run, 80, unicode: true), line => Assert.DoesNotContain(line, character => char.IsControl(character)));

    [Fact]
    public void Markup_in_the_text_is_shown_as_it_is()
    {
        RunSnapshot run = Run with { Sample = (1, "[red]no color[/] [unclosed"), Title = "[bold]" };
        string text = string.Join('\n', Lines(run, 80, unicode: true));
        Assert.Contains("[red]no color[/] [unclosed", text, StringComparison.Ordinal);
        Assert.Contains("[bold]", text, StringComparison.Ordinal);
    }

    private static RunSnapshot Begin => new() { Title = "demo", MaxSteps = 400, Loss = double.NaN, SmoothedLoss = double.NaN, TokensPerSecond = double.NaN };

    private static void Equal(int width, string expected) =>
        Assert.Equal(expected.ReplaceLineEndings("\n"), string.Join('\n', Lines(Run, width, unicode: true)));

    private static string[] Lines(RunSnapshot run, int width, bool unicode, int height = 100) =>
        [.. LiveScreen.Render(run, width, height, unicode).Select(line => line.Text)];
}
