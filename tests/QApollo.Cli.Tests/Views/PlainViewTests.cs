using QApollo.Cli.Views;
using QApollo.Training;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class PlainViewTests
{
    [Fact]
    public void Everything_is_a_line()
    {
        using var output = new StringWriter();
        using (var view = new PlainView(output, maxSteps: 1))
        {
            Report(view);
        }

        string[] lines = output.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.StartsWith("step 1/1  loss 2.5000  lr 0.01  1,000 tokens/s", lines[0], StringComparison.Ordinal);
        Assert.Equal(
            ["step 1/1  validation loss 3.0000  perplexity 20.09", "saved run/step-000001", "step 1/1  sample: two lines\uFFFD", "warning: watch out"],
            lines[1..]);
    }

    [Fact]
    public void Quiet_shows_warnings_only()
    {
        using var output = new StringWriter();
        using (var view = new QuietView(output))
        {
            Report(view);
        }

        Assert.Equal("warning: watch out" + Environment.NewLine, output.ToString());
    }

    private static void Report(IRunView view)
    {
        view.Begin(0);
        view.OnStep(new StepResult(1, 2.5, 0.01f, 100, 1, 0.5), 1000);
        view.OnValidation(1, 3);
        view.OnSaved("run/step-000001");
        view.OnSample(1, "two\nlines\u001b");
        view.OnWarning("watch out");
    }
}
