namespace QApollo.Cli.Tests.Commands;

/// <summary>A tiny checkpoint, trained once for all tests of a class.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly TinyRun _tiny = new();

    public TrainedModel()
    {
        Training = QApolloProcess.Run(_tiny.Train("run", 8, "--save-every", "4", "--sample-every", "4", "--sample-prompt", "Line", "--sample-tokens", "12"));
        if (Training.ExitCode != 0)
        {
            throw new InvalidOperationException(Training.Error);
        }
    }

    internal ProcessResult Training { get; }

    internal TinyRun Tiny => _tiny;

    public string Run => _tiny.RunFolder("run");

    public string Checkpoint(int step) => Path.Combine(Run, $"step-{step:D6}");

    public void Dispose() => _tiny.Dispose();
}
