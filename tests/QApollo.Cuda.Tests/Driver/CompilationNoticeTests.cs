using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Driver;

public class CompilationNoticeTests
{
    [Theory]
    [InlineData(100, 2, 0)]
    [InlineData(5, 60, 0)]
    [InlineData(6, 60, 1)]
    [InlineData(40, 300, 1)]
    public void Kernels_that_take_longer_than_kept_ones_are_told_once(int kernels, int milliseconds, int expected)
    {
        var time = new ManualTime();
        int told = 0;
        var notice = new CompilationNotice(() => told++, time);
        for (int kernel = 0; kernel < kernels; kernel++)
        {
            notice.Begin();
            time.Milliseconds += milliseconds;
            notice.End();

            // Between kernels a run does other things.
            time.Milliseconds += 10_000;
        }

        Assert.Equal(expected, told);
    }

    private sealed class ManualTime : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }
}
