using QApollo.Training;

namespace QApollo.Runs;

/// <summary>Several that see the same run, in this order.</summary>
public sealed class RunObservers(params IReadOnlyList<IRunObserver> observers) : IRunObserver
{
    public void OnStep(in StepResult result, double tokensPerSecond)
    {
        foreach (IRunObserver observer in observers)
        {
            observer.OnStep(result, tokensPerSecond);
        }
    }

    public void OnValidation(int completedSteps, double loss) => Each(observer => observer.OnValidation(completedSteps, loss));

    public void OnSaved(string checkpoint) => Each(observer => observer.OnSaved(checkpoint));

    public void OnSample(int completedSteps, string text) => Each(observer => observer.OnSample(completedSteps, text));

    public void OnRewind(int completedSteps) => Each(observer => observer.OnRewind(completedSteps));

    public void OnWarning(string message) => Each(observer => observer.OnWarning(message));

    private void Each(Action<IRunObserver> tell)
    {
        foreach (IRunObserver observer in observers)
        {
            tell(observer);
        }
    }
}
