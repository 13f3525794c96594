using System.Text;
using Xunit;

namespace QApollo.Cli.Tests;

public class TensorBoardTests
{
    [Fact]
    public void A_run_that_is_gone_on_with_begins_another_event_file()
    {
        using var tiny = new TinyRun();
        ProcessResult trained = QApolloProcess.Run(tiny.Train("run", 2, "--tensorboard"));
        Assert.True(trained.ExitCode == 0, trained.Error);
        string first = Assert.Single(EventFiles());
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(first));
        Assert.All(["brain.Event:2", "train/loss", "validation/loss", "sample", "--max-steps"], part => Assert.Contains(part, text, StringComparison.Ordinal));

        ProcessResult resumed = QApolloProcess.Run("train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "3");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(2, EventFiles().Length);
        Assert.Equal(text, Encoding.Latin1.GetString(File.ReadAllBytes(first)));

        string[] EventFiles() => Directory.GetFiles(tiny.RunFolder("run"), "events.out.tfevents.*");
    }
}
