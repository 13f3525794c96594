using QApollo.Reports;
using Xunit;

namespace QApollo.Tests.Reports;

public class DecimatedCurvesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(100_003)]
    public void Mean_and_extremes_of_all_points_survive_any_number_of_merges(int points)
    {
        var random = new Random(points);
        var curves = new DecimatedCurves(2);
        double sum = 0;
        for (int step = 1; step <= points; step++)
        {
            double value = step == (points / 3) + 1 ? 1000 : random.NextDouble();
            sum += value;
            curves.Add(new RunPosition(step, 10.0 * step, 0.5 * step), [value, step % 7 == 0 ? double.NaN : -value]);
        }

        Assert.Equal(points, curves.Points);
        Assert.InRange(curves.Count, Math.Min(points, DecimatedCurves.MaxBuckets / 2), DecimatedCurves.MaxBuckets);
        Assert.Equal(new RunPosition(points, 10.0 * points, 0.5 * points), curves.Positions[^1]);
        Assert.Equal(1000, Enumerable.Range(0, curves.Count).Max(bucket => curves.At(bucket, 0).High));

        // Each bucket weighs as many steps as lie behind it.
        double weighted = 0;
        long before = 0;
        for (int bucket = 0; bucket < curves.Count; bucket++)
        {
            weighted += curves.At(bucket, 0).Mean * (curves.Positions[bucket].Step - before);
            before = curves.Positions[bucket].Step;
        }

        Assert.Equal(sum, weighted, 1e-6 * sum);
    }

    [Fact]
    public void What_is_not_finite_is_missing_and_leaves_its_neighbours_alone()
    {
        var curves = new DecimatedCurves(1);
        curves.Add(new RunPosition(1, 1, 1), [double.NaN]);
        curves.Add(new RunPosition(2, 2, 2), [double.PositiveInfinity]);
        curves.Add(new RunPosition(3, 3, 3), [4]);
        Assert.True(double.IsNaN(curves.At(0, 0).Mean));
        Assert.True(double.IsNaN(curves.At(1, 0).High));
        Assert.Equal((4, 4, 4), curves.At(2, 0));
    }
}
