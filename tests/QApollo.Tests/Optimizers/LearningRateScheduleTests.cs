using QApollo.Optimizers;
using Xunit;

namespace QApollo.Tests.Optimizers;

public class LearningRateScheduleTests
{
    [Theory]
    [InlineData(ScheduleKind.Cosine, 55, 0.55)]
    [InlineData(ScheduleKind.Linear, 55, 0.55)]
    [InlineData(ScheduleKind.Constant, 55, 1.0)]
    [InlineData(ScheduleKind.WarmupStableDecay, 55, 1.0)]
    [InlineData(ScheduleKind.WarmupStableDecay, 91, 0.55)]
    [InlineData(ScheduleKind.Cosine, 100, 0.1)]
    [InlineData(ScheduleKind.Cosine, 1000, 0.1)]
    public void Shares_of_the_peak_after_the_warm_up(ScheduleKind kind, int step, double share) =>
        Assert.Equal(share, new LearningRateSchedule(kind, 1.0, 100, WarmupSteps: 10, MinRatio: 0.1).At(step), 1e-6);

    [Fact]
    public void The_warm_up_wastes_no_update()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Cosine, 0.02, 100, WarmupSteps: 10);
        Assert.Equal(0.002f, schedule.At(0), 1e-7f);
        Assert.Equal(0.01f, schedule.At(4), 1e-7f);
        Assert.Equal(0.02f, schedule.At(9), 1e-7f);
        Assert.Equal(0.02f, schedule.At(10), 1e-7f);
    }

    [Fact]
    public void The_published_warm_up_rises_from_zero_to_the_peak()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Cosine, 0.02, 100, WarmupSteps: 10, FromZero: true);
        Assert.Equal(0f, schedule.At(0));
        Assert.Equal(0.01f, schedule.At(5), 1e-7f);
        Assert.Equal(0.02f, schedule.At(10), 1e-7f);
    }
}
