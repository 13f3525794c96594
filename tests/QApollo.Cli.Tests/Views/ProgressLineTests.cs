using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

public class ProgressLineTests
{
    [Fact]
    public void A_line_never_wraps_and_what_was_longer_is_cleared()
    {
        using var output = new StringWriter();
        int columns = 20;
        using (var line = new ProgressLine(output, () => columns))
        {
            line.Write("tokenizing 10%, 1:00:00 left");
            line.Write("short");
            columns = 8;
            line.Write("tokenizing");
            columns = 1;
            line.Write("tokenizing");
        }

        Assert.Equal("\rtokenizing 10%, 1:0\rshort              \rtokeniz\rt\r \r", output.ToString());
    }
}
