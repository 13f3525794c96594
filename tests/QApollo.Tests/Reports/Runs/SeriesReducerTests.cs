using QApollo.Reports.Runs;
using Xunit;

namespace QApollo.Tests.Reports.Runs;

public class SeriesReducerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(100_000)]
    public void A_course_of_any_length_has_few_points_and_loses_no_spike(int steps)
    {
        var series = new SeriesReducer();
        int spike = steps / 3;
        for (int step = 0; step < steps; step++)
        {
            series.Add(step, 10L * step, 0.5 * step, step == spike ? 1e6 : step % 7);
        }

        IReadOnlyList<SeriesPoint> points = series.Points;
        Assert.InRange(points.Count, Math.Min(steps, SeriesReducer.Capacity), 2 * SeriesReducer.Capacity);
        Assert.Equal((steps - 1, 10L * (steps - 1), 0.5 * (steps - 1)), (points[^1].Step, points[^1].Tokens, points[^1].Seconds));
        SeriesPoint highest = Assert.Single(points, point => point.Maximum == 1e6);
        Assert.InRange(spike, highest.Step - (steps / SeriesReducer.Capacity), highest.Step);
        Assert.All(points, point => Assert.InRange(point.Mean, point.Minimum, point.Maximum));
    }

    [Fact]
    public void A_smaller_one_keeps_fewer_points()
    {
        var series = new SeriesReducer(capacity: 3);
        for (int step = 0; step < 100; step++)
        {
            series.Add(step, 0, 0, step);
        }

        Assert.InRange(series.Points.Count, 3, 6);
        Assert.Equal((99, 99.0, 0.0), (series.Points[^1].Step, series.Points[^1].Maximum, series.Points[0].Minimum));
    }

    [Fact]
    public void Means_are_those_of_their_steps()
    {
        var series = new SeriesReducer();
        for (int step = 0; step < 2048; step++)
        {
            series.Add(step, 0, 0, step);
        }

        Assert.Equal(Enumerable.Range(0, 1024).Select(i => (2 * i) + 0.5), series.Points.Select(point => point.Mean));
        series.Add(2048, 0, 0, double.NaN);
        Assert.Equal(1024, series.Points.Count);
    }
}
