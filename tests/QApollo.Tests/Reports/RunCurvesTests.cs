using System.Text;
using QApollo.Files;
using QApollo.Reports;
using QApollo.Runs;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Reports;

public sealed class RunCurvesTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Curves_are_what_the_metrics_file_was_told()
    {
        File.Delete(_path);
        using (var metrics = new MetricsFile(_path, 0))
        {
            metrics.WriteStep(new StepResult(1, 5.5, 0.25f, 100, 2, 0.125), 50);
            metrics.WriteStep(new StepResult(2, double.NaN, 0.5f, 100, 3, 0.5), 25);
            metrics.WriteHealth(2, [new LayerHealth(0.25, 0.5, 1, 0, 1), new LayerHealth(0.75, 0.5, 3, 0, 0)]);
            metrics.WriteValidation(2, 4.5, [("a", 4), ("b", 5)]);
            metrics.WriteStep(new StepResult(3, 4.25, 0.5f, 100, 3, 0.5), 100);
            metrics.WriteValidation(3, 4.75);
        }

        var curves = RunCurves.Read(_path);

        Assert.Equal(0, curves.DamagedLines);
        Assert.Equal([new RunPosition(1, 100, 2), new RunPosition(2, 200, 6), new RunPosition(3, 300, 7)], curves.Steps.Positions.ToArray());
        Assert.Equal([5.5, 0.25, 2, 50, 0.125], Enumerable.Range(0, 5).Select(curve => curves.Steps.At(0, curve).Mean));
        Assert.True(double.IsNaN(curves.Steps.At(1, 0).Mean));
        Assert.Equal([0.5, 0.5, 2, 0, 0.5], Enumerable.Range(0, 5).Select(curve => curves.Health.At(0, curve).Mean));
        Assert.Equal((4.25, 4.75, (4.5, 2L)), (curves.LastLoss, curves.LastValidation, curves.BestValidation));
        Assert.Equal(new RunPosition(2, 200, 6), curves.Validations.Positions[0]);
    }

    [Theory]
    [InlineData("{\"step\":2,\"loss\":")]
    [InlineData("no JSON")]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"step\":-1,\"loss\":1}")]
    [InlineData("{\"step\":{\"loss\":1},\"lr\":[1,{\"loss\":3}]}")]
    [InlineData("{\"step\":1e99,\"loss\":1}")]
    [InlineData("{\"step\":2,\"loss\":1}{\"step\":3,\"loss\":1}")]
    [InlineData("[1]")]
    public void A_line_of_something_else_is_counted_and_left_out(string line)
    {
        File.WriteAllText(_path, "{\"step\":1,\"loss\":3,\"tokens\":5}\n" + line + "\n{\"step\":4,\"loss\":2,\"tokens\":5,\"later\":{\"loss\":[9]}}");
        var curves = RunCurves.Read(_path);
        Assert.Equal(1, curves.DamagedLines);
        Assert.Equal((2L, 2.0, new RunPosition(4, 10, 0)), (curves.Steps.Points, curves.LastLoss, curves.End));
    }

    [Fact]
    public void A_file_of_something_else_is_told_by_its_name_and_soon()
    {
        File.WriteAllText(_path, string.Concat(Enumerable.Repeat("{\"a\":\n", 5000)));
        Assert.StartsWith(_path, Assert.Throws<InvalidFileException>(() => RunCurves.Read(_path)).Message, StringComparison.Ordinal);
        File.WriteAllText(_path, "hello\n");
        Assert.Throws<InvalidFileException>(() => RunCurves.Read(_path));
        using (FileStream huge = File.OpenWrite(_path))
        {
            huge.SetLength(40 << 20);
        }

        Assert.Contains("line of more than", Assert.Throws<InvalidFileException>(() => RunCurves.Read(_path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_longer_than_a_buffer_are_read_whole()
    {
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 700) + "\n\n" + new string('b', 300));
        var reader = new LineReader(new MemoryStream(text), "x", mostBytes: 1024);
        Assert.True(reader.TryRead(out ReadOnlySpan<byte> first) && first.Length == 700);
        Assert.True(reader.TryRead(out ReadOnlySpan<byte> second) && second.Length == 0);
        Assert.True(reader.TryRead(out ReadOnlySpan<byte> third) && third.SequenceEqual(text.AsSpan(702)));
        Assert.False(reader.TryRead(out _));
    }
}
