using QApollo.Training;

namespace QApollo.Runs;

/// <summary>Sees what a run does, as it does it; a view on the terminal, a log, a test.</summary>
public interface IRunObserver
{
    void OnStep(in StepResult result, double tokensPerSecond);

    /// <param name="loss">Mean over the held-out tokens, in nats.</param>
    void OnValidation(int completedSteps, double loss);

    void OnSaved(string checkpoint);

    /// <param name="text">Prompt and continuation; as the model wrote it, control characters included.</param>
    void OnSample(int completedSteps, string text)
    {
    }

    /// <summary>The run went back to a checkpoint: later steps are about to be done again.</summary>
    void OnRewind(int completedSteps)
    {
    }

    /// <summary>Something that a person should know, in one line.</summary>
    void OnWarning(string message);
}
