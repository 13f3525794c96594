namespace QApollo.Optimizers;

/// <summary>The shape of the learning rate after the warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the minimum.</summary>
    Cosine,

    /// <summary>A straight line down to the minimum.</summary>
    Linear,

    Constant,

    /// <summary>Warm-up, stable, decay: constant, then a straight line to the minimum over the last part (arXiv 2404.06395).</summary>
    WarmupStableDecay,
}

/// <summary>Learning rate over the updates of a run.</summary>
/// <param name="Peak">Learning rate at the end of the warm-up.</param>
/// <param name="TotalSteps">Updates of the whole run.</param>
/// <param name="WarmupSteps">Updates of linear warm-up: the first has a learning rate of Peak / WarmupSteps, the last has Peak.</param>
/// <param name="MinRatio">The last learning rate as a share of the peak, 0 to 1.</param>
/// <param name="DecayShare">Share of the run that a warmup-stable-decay schedule decays in, 0 to 1.</param>
/// <param name="FromZero">The warm-up begins with an update of learning rate 0, as the published schedule does: its work changes nothing.</param>
public sealed record LearningRateSchedule(
    ScheduleKind Kind, double Peak, int TotalSteps, int WarmupSteps = 0, double MinRatio = 0.1, double DecayShare = 0.2, bool FromZero = false)
{
    /// <summary>The learning rate of the update that follows <paramref name="step"/> completed ones (0, 1, ...).</summary>
    public float At(int step)
    {
        if (step < WarmupSteps)
        {
            return (float)(Peak * (FromZero ? step : step + 1) / WarmupSteps);
        }

        double progress = Math.Min(1.0, (step - WarmupSteps) / (double)Math.Max(1, TotalSteps - WarmupSteps));
        return (float)(Peak * (MinRatio + ((1 - MinRatio) * Shape(progress))));
    }

    /// <summary>Falls from 1 to 0 as the progress after the warm-up goes from 0 to 1.</summary>
    private double Shape(double progress) => Kind switch
    {
        ScheduleKind.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
        ScheduleKind.Linear => 1 - progress,
        ScheduleKind.Constant => 1,
        ScheduleKind.WarmupStableDecay => Math.Min(1, (1 - progress) / DecayShare),
        _ => throw new InvalidOperationException($"unknown schedule {Kind}"),
    };
}
