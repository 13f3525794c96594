using QApollo.Training;

namespace QApollo.Runs;

/// <summary>Several that see the same run, in the order in which they were added.</summary>
public sealed class RunObservers(params IEnumerable<IRunObserver> first) : IRunObserver
{
    private readonly List<IRunObserver> _observers = [.. first];

    /// <summary>Sees what the run does from now on.</summary>
    public void Add(IRunObserver observer) => _observers.Add(observer);

    public void OnStep(in StepResult result, double tokensPerSecond)
    {
        foreach (IRunObserver observer in _observers)
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
        foreach (IRunObserver observer in _observers)
        {
            tell(observer);
        }
    }
}
