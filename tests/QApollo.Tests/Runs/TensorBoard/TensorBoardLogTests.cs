using QApollo.Runs.TensorBoard;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Runs.TensorBoard;

public sealed class TensorBoardLogTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<string> _warnings = [];

    /// <summary>The first record of a file that TensorFlow's own writer makes, at time 0.</summary>
    [Fact]
    public void The_first_record_is_the_one_that_readers_expect()
    {
        byte[] record = EventFile.Record(EventFile.Event(0, new ProtoMessage().Text(3, "brain.Event:2")));
        Assert.Equal("1800000000000000a37f4b220900000000000000001a0d627261696e2e4576656e743a32eedf28a3", Convert.ToHexStringLower(record));
    }

    [Fact]
    public void An_independent_reader_finds_what_was_written()
    {
        using (var log = new TensorBoardLog(_folder.Path, 0, [("--lr", "0.01"), ("--data", "a|b.txt")], _warnings.Add, new FixedTime()))
        {
            log.OnStep(new StepResult(1, 5.5, 0.001f, 10, 2.25, 0.5), 1234.5);
            log.OnStep(new StepResult(2, 5.25, 0.001f, 10, double.NaN, 0) { IsSkipped = true }, 1000);
            log.OnValidation(300, 4.5);
            log.OnSample(300, "one\r\ntwo\nünd");
        }

        List<ReadEvent> events = ReadEvent.ReadAll(_folder.Path);
        Assert.Empty(_warnings);
        Assert.Equal(("brain.Event:2", 1_700_000_000.25), (events[0].Version, events[0].WallTime));
        Assert.Equal(new ReadValue("options", null, "| option | value |\n| --- | --- |\n| --lr | 0.01 |\n| --data | a\\|b.txt |\n", "text"), events[1].Values.Single());
        Assert.Equal(
            [("train/loss", 5.5f), ("train/learning_rate", 0.001f), ("train/gradient_norm", 2.25f), ("train/changed_share", 0.5f), ("speed/tokens_per_second", 1234.5f)],
            events[2].Values.Select(value => (value.Tag, value.Scalar!.Value)));
        Assert.Equal(1, events[2].Step);
        Assert.Equal((300, new ReadValue("validation/loss", 4.5f, null, null)), (events[4].Step, events[4].Values.Single()));
        Assert.Equal((300, new ReadValue("sample", null, "    one\n    two\n    ünd\n", "text")), (events[5].Step, events[5].Values.Single()));
        Assert.DoesNotContain(events[3].Values, value => value.Tag == "train/gradient_norm");
        Assert.Equal(6, events.Count);
    }

    /// <summary>TensorBoard drops what it has from the step of a session's start on.</summary>
    [Fact]
    public void Steps_that_are_done_again_are_hidden()
    {
        using (var first = new TensorBoardLog(_folder.Path, 0, [], _warnings.Add, new FixedTime()))
        {
            first.OnValidation(20, 4);
            first.OnRewind(10);
        }

        using (new TensorBoardLog(_folder.Path, 15, [], _warnings.Add, new FixedTime()))
        {
        }

        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
        List<ReadEvent> events = ReadEvent.ReadAll(_folder.Path);
        Assert.Equal([11L, 16L], events.Where(read => read.SessionStatus == 1).Select(read => read.Step));
        Assert.Equal([null, 1], events.Skip(4).Take(2).Select(read => read.SessionStatus));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_told_once_and_ends_nothing()
    {
        using var log = new TensorBoardLog(Path.Combine(_folder.Path, "missing"), 0, [], _warnings.Add);
        log.OnValidation(1, 2);
        log.OnRewind(0);
        Assert.Contains("the run goes on without", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_250);
    }
}
