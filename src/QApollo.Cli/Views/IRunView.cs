using QApollo.Runs;

namespace QApollo.Cli.Views;

/// <summary>Shows a run while it goes on; disposing leaves the last state on the screen.</summary>
internal interface IRunView : IRunObserver, IDisposable
{
    /// <summary>The first step is about to begin.</summary>
    /// <param name="completedSteps">Updates done before, by the run that is gone on with.</param>
    void Begin(int completedSteps);

    /// <summary>A line of the device's that is no warning.</summary>
    void Say(string line);

    /// <summary>Called at the second Ctrl+C, right before the process ends: leaves the terminal usable.</summary>
    void Abort();
}
