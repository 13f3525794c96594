using QApollo.Training;
using Spectre.Console;

namespace QApollo.Cli.Views;

/// <summary>
/// A run on a terminal, drawn over and over by a thread of its own: steps only note what happened. A terminal that goes
/// away ends the drawing, not the run.
/// </summary>
internal sealed class LiveView : IRunView
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly RunFacts _facts;
    private readonly IAnsiConsole _console;
    private readonly ManualResetEventSlim _end = new();
    private readonly Thread _thread;
    private RunStatus _status;

    public LiveView(RunFacts facts, IAnsiConsole console)
    {
        (_facts, _console) = (facts, console);
        _status = new RunStatus(facts, firstStep: 0);
        _thread = new Thread(Draw) { IsBackground = true, Name = "live view" };
    }

    public void Begin(int completedSteps)
    {
        _status = new RunStatus(_facts, completedSteps);
        _thread.Start();
    }

    public void OnStep(in StepResult result, double tokensPerSecond) => _status.OnStep(result, tokensPerSecond);

    public void OnValidation(int completedSteps, double loss) => _status.OnValidation(completedSteps, loss);

    public void OnSaved(string checkpoint) => _status.OnSaved(checkpoint);

    public void OnSample(int completedSteps, string text) => _status.OnSample(completedSteps, text);

    public void OnWarning(string message) => _status.OnWarning(message);

    public void Abort() => _console.Cursor.Show(true);

    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            _end.Set();
            _thread.Join();
        }

        _end.Dispose();
    }

    private void Draw()
    {
        try
        {
            _console.Live(Screen()).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom).Start(context =>
            {
                bool ended;
                do
                {
                    ended = _end.Wait(Interval);
                    context.UpdateTarget(Screen());
                }
                while (!ended);
            });
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Nobody looks any more; the run goes on, and its files have all that it showed.
        }
    }

    private Spectre.Console.Rendering.IRenderable Screen() =>
        LiveScreen.Render(_status.Snapshot(), _console.Profile.Width, _console.Profile.Capabilities.Unicode);
}
