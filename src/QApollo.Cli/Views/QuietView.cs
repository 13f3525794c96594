using QApollo.Training;

namespace QApollo.Cli.Views;

/// <summary>Warnings, and nothing else.</summary>
internal sealed class QuietView(TextWriter output) : IRunView
{
    public void Begin(int completedSteps)
    {
    }

    public void OnStep(in StepResult result, double tokensPerSecond)
    {
    }

    public void OnValidation(int completedSteps, double loss)
    {
    }

    public void OnSaved(string checkpoint)
    {
    }

    public void OnWarning(string message) => output.WriteLine($"warning: {message}");

    public void Say(string line)
    {
    }

    public void Abort()
    {
    }

    public void Dispose()
    {
    }
}
