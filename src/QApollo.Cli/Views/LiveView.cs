using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using QApollo.Training;
using Spectre.Console;

namespace QApollo.Cli.Views;

/// <summary>
/// A run on a terminal, drawn over and over by a thread of its own: steps only note what happened. The last state stays when the
/// run has ended. A terminal that goes away ends the drawing, not the run.
/// </summary>
internal sealed class LiveView : IRunView
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly RunFacts _facts;
    private readonly IAnsiConsole _console;
    private readonly ManualResetEventSlim _end = new();
    private readonly Thread _thread;
    private readonly AlternateScreen _screen;
    private readonly List<PosixSignalRegistration> _suspensions = [];
    private RunStatus _status;

    public LiveView(RunFacts facts, IAnsiConsole console)
    {
        (_facts, _console, _screen) = (facts, console, new AlternateScreen(console));
        _status = new RunStatus(facts, firstStep: 0);
        _thread = new Thread(Draw) { IsBackground = true, Name = "live view" };
    }

    public void Begin(int completedSteps)
    {
        _status = new RunStatus(_facts, completedSteps);
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        if (!OperatingSystem.IsWindows())
        {
            // Ctrl+Z: the shell gets its own screen back, as long as this process sleeps.
            _suspensions.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, Sleep));
            _suspensions.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => _screen.Resume()));
        }

        _thread.Start();
    }

    public void OnStep(in StepResult result, double tokensPerSecond) => _status.OnStep(result, tokensPerSecond);

    public void OnValidation(int completedSteps, double loss) => _status.OnValidation(completedSteps, loss);

    public void OnSaved(string checkpoint) => _status.OnSaved(checkpoint);

    public void OnSample(int completedSteps, string text) => _status.OnSample(completedSteps, text);

    public void OnWarning(string message) => _status.OnWarning(message);

    public void Say(string line) => _status.OnWarning(line);

    public void Abort() => Try(() => _screen.Close(last: []));

    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            _end.Set();
            _thread.Join();
            Try(() => _screen.Close(Lines(int.MaxValue)));
        }

        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        _suspensions.ForEach(suspension => suspension.Dispose());
        _end.Dispose();
    }

    /// <summary>A terminal that is gone is no reason to end: nobody looks any more, and the run's files have all that was shown.</summary>
    private static bool Try(Action draw)
    {
        try
        {
            draw();
            return true;
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The runtime leaves out what the system does at this signal once somebody listens to it.</summary>
    private void Sleep(PosixSignalContext context)
    {
        Try(_screen.Suspend);
        try
        {
            using var stop = Process.Start("kill", ["-STOP", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)]);
        }
        catch (Win32Exception)
        {
            // There is no such program: the run goes on, and so does its view.
            _screen.Resume();
        }
    }

    private void Draw()
    {
        while (Try(() => _screen.Draw(Lines(_console.Profile.Height))) && !_end.Wait(Interval))
        {
        }
    }

    private void OnExit(object? sender, EventArgs arguments) => Abort();

    private IReadOnlyList<ScreenLine> Lines(int height) =>
        LiveScreen.Render(_status.Snapshot(), _console.Profile.Width, height, _console.Profile.Capabilities.Unicode);
}
