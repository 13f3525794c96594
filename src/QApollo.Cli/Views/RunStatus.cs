using System.Diagnostics;
using QApollo.Runs;
using QApollo.Training;

namespace QApollo.Cli.Views;

/// <summary>One moment of a run, as a screen shows it.</summary>
internal sealed record RunSnapshot
{
    public required string Title { get; init; }

    public required int MaxSteps { get; init; }

    /// <summary>0 before the first step.</summary>
    public int Step { get; init; }

    /// <summary>Mean loss of the last step, in nats.</summary>
    public double Loss { get; init; }

    public double SmoothedLoss { get; init; }

    public double LearningRate { get; init; }

    public double TokensPerSecond { get; init; }

    /// <summary>Null before the first validation.</summary>
    public (int Step, double Loss)? Validation { get; init; }

    public TimeSpan Elapsed { get; init; }

    /// <summary>To the last step; null before there is an estimate.</summary>
    public TimeSpan? Left { get; init; }

    public long PlannedBytes { get; init; }

    public long AllocatedBytes { get; init; }

    public long ProcessBytes { get; init; }

    /// <summary>What the card's sensors show; empty without.</summary>
    public string Sensors { get; init; } = string.Empty;

    /// <summary>Null before the first save.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Null before the first sample.</summary>
    public (int Step, string Text)? Sample { get; init; }

    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Losses since the run began or went on, oldest first.</summary>
    public double[] Curve { get; init; } = [];
}

/// <summary>Collects what a run reports; the run's thread writes, the screen's thread reads. A step allocates nothing here.</summary>
/// <param name="firstStep">Updates done before.</param>
internal sealed class RunStatus(RunFacts facts, int firstStep) : IRunObserver
{
    private const int MaxWarnings = 3;

    private readonly Lock _lock = new();
    private readonly LossHistory _history = new();
    private readonly SmoothedValue _loss = new(weight: 0.95);
    private readonly SmoothedValue _speed = new(weight: 0.9);
    private readonly Queue<string> _warnings = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly RateEstimate _rate = new(facts.MaxSteps);
    private StepResult _last;
    private (int, double)? _validation;
    private (int, string)? _sample;
    private string? _checkpoint;

    public void OnStep(in StepResult result, double tokensPerSecond)
    {
        lock (_lock)
        {
            _last = result;
            _rate.Add(result.Step);
            if (!result.IsSkipped)
            {
                _loss.Add(result.Loss);
                _speed.Add(tokensPerSecond);
                _history.Add(result.Loss);
            }
        }
    }

    public void OnValidation(int completedSteps, double loss)
    {
        lock (_lock)
        {
            _validation = (completedSteps, loss);
        }
    }

    public void OnSaved(string checkpoint)
    {
        lock (_lock)
        {
            _checkpoint = checkpoint;
        }
    }

    public void OnSample(int completedSteps, string text)
    {
        lock (_lock)
        {
            _sample = (completedSteps, text);
        }
    }

    public void OnWarning(string message)
    {
        lock (_lock)
        {
            _warnings.Enqueue(message);
            if (_warnings.Count > MaxWarnings)
            {
                _warnings.Dequeue();
            }
        }
    }

    public RunSnapshot Snapshot()
    {
        long process = facts.ProcessBytes();
        string sensors = facts.Sensors?.Invoke().ToString() ?? string.Empty;
        lock (_lock)
        {
            return new RunSnapshot
            {
                Title = facts.Title,
                MaxSteps = facts.MaxSteps,
                Step = _last.Step > 0 ? _last.Step : firstStep,
                Loss = _last.Step > 0 ? _last.Loss : double.NaN,
                SmoothedLoss = _loss.Value,
                LearningRate = _last.LearningRate,
                TokensPerSecond = _speed.Value,
                Validation = _validation,
                Elapsed = Stopwatch.GetElapsedTime(_start),
                Left = _last.Step > 0 ? _rate.TimeLeft(_last.Step) : null,
                PlannedBytes = facts.PlannedBytes,
                AllocatedBytes = facts.AllocatedBytes,
                ProcessBytes = process,
                Sensors = sensors,
                Checkpoint = _checkpoint,
                Sample = _sample,
                Warnings = [.. _warnings],
                Curve = _history.ToArray(),
            };
        }
    }
}

/// <summary>An exponential moving average that starts without a bias towards zero; NaN before the first value.</summary>
/// <param name="weight">Of the past, 0 to 1.</param>
internal sealed class SmoothedValue(double weight)
{
    private double _sum;
    private double _weights;

    public double Value => _sum / _weights;

    public void Add(double value)
    {
        _sum = (weight * _sum) + ((1 - weight) * value);
        _weights = (weight * _weights) + (1 - weight);
    }
}
