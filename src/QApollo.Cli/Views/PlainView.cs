using System.Globalization;
using QApollo.Training;

namespace QApollo.Cli.Views;

/// <summary>A run as plain lines, for pipes, files, and people who like them.</summary>
internal sealed class PlainView(TextWriter output, int maxSteps) : IRunView
{
    /// <summary>Seconds between two step lines.</summary>
    private const double Interval = 2;

    private readonly RateEstimate _rate = new(maxSteps);

    public void Begin(int completedSteps)
    {
    }

    public void OnStep(in StepResult result, double tokensPerSecond)
    {
        _rate.Add(result.Step);
        if (result.Step is 1 || result.Step == maxSteps || _rate.SecondsSinceReport >= Interval)
        {
            _rate.Reported();
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"step {result.Step}/{maxSteps}  loss {result.Loss:F4}  lr {result.LearningRate:G3}  {tokensPerSecond:N0} tokens/s  left {_rate.Left(result.Step)}"));
        }
    }

    public void OnValidation(int completedSteps, double loss) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"step {completedSteps}/{maxSteps}  validation loss {loss:F4}  perplexity {Math.Exp(loss):F2}"));

    public void OnSaved(string checkpoint) => output.WriteLine($"saved {checkpoint}");

    public void OnSample(int completedSteps, string text) => output.WriteLine(
        string.Create(CultureInfo.InvariantCulture, $"step {completedSteps}/{maxSteps}  sample: {Printable.OnOneLine(text)}"));

    public void OnWarning(string message) => output.WriteLine($"warning: {message}");

    public void Say(string line) => output.WriteLine(line);

    public void Abort()
    {
    }

    public void Dispose()
    {
    }
}
