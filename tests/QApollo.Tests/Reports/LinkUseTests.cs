using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Reports;
using QApollo.Tests.Memory;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Reports;

/// <summary>What a step takes on a card at the very best, with transfers beside the operations.</summary>
public class LinkUseTests
{
    private static readonly Card Card = new("test-1gb", "Test", 1e12, 4e12, 1, 1e9, 1L << 30, 1e9, new PcieLink(4, 16), "made up");

    public static TheoryData<string> CardNames => [.. Cards.All.Select(card => card.Name)];

    [Fact]
    public void Transfers_run_beside_operations_and_after_each_other()
    {
        double link = Card.Link.BytesPerSecond;
        var clock = new VirtualClock(Card, sequenceLength: 1);
        Tensor Of(nint address, double seconds, double bytesPerSecond) => new(address, DType.U8, 1, (int)(seconds * bytesPerSecond));

        // 10 ms of copies during 4 ms of work: 6 ms of waiting; the second copy follows the first, 3 ms more.
        Transfer(clock, Of(1, 0.010, link), Of(2, 0.010, link));
        Transfer(clock, Of(3, 0.003, link), Of(4, 0.003, link));
        Work(clock, 0.004);
        Await(clock, Of(1, 0.010, link), Of(2, 0.010, link));
        Assert.Equal(0.006, clock.WaitSeconds, 1e-6);
        Await(clock, Of(3, 0.003, link), Of(4, 0.003, link));
        Assert.Equal((0.009, 0.013), (Math.Round(clock.WaitSeconds, 6), Math.Round(clock.StepSeconds, 6)));

        // One that begins now has to wait for what was computed before, and hides behind what follows.
        Work(clock, 0.020);
        Transfer(clock, Of(1, 0.005, link), Of(2, 0.005, link));
        Work(clock, 0.020);
        Await(clock, Of(1, 0.005, link), Of(2, 0.005, link));
        Assert.Equal((0.009, 0.053), (Math.Round(clock.WaitSeconds, 6), Math.Round(clock.StepSeconds, 6)));
        Assert.Equal(0.018, clock.LinkSeconds, 1e-6);
        Assert.Equal(clock.LinkSeconds * link, clock.LinkBytes, 10.0);
    }

    /// <summary>A product of [8, 1000] by [1000, 500] is 8 MFLOP and 0.5 MB: bound by memory here.</summary>
    [Fact]
    public void Operations_take_as_long_as_arithmetic_or_memory()
    {
        var clock = new VirtualClock(Card, sequenceLength: 8);
        var input = new Tensor(1, DType.BF16, 8, 1000);
        var weight = new Tensor(2, DType.U8, 500, 1000);
        var output = new Tensor(3, DType.BF16, 8, 500);
        Access[] accesses =
        [
            new(input, AccessKind.Read), new(weight, AccessKind.Read), default, default, default, default, new(output, AccessKind.Write),
        ];
        clock.OnOperation("linear forward", accesses);
        Assert.Equal((input.Bytes + weight.Bytes + output.Bytes) / 1e9, clock.StepSeconds, 1e-9);
    }

    /// <summary>LLaMA-7B, 32,768 tokens per update, whatever the card.</summary>
    [Theory]
    [MemberData(nameof(CardNames))]
    public void Streaming_a_large_update_costs_less_than_a_tenth(string name)
    {
        Card card = Cards.TryFind(name)!;
        TrainingOptions resident = SevenBillion(new StepShape(1, 1024, 32));
        TrainingOptions streamed = Streamed(resident);
        double without = Seconds(new TrainingLayout(resident, new CardProfile()), card).Step;
        (double with, double link) = Seconds(new TrainingLayout(streamed, new CardProfile()), card);
        Assert.InRange(with, without, 1.1 * without);

        // 31 layers down that are not in a slot any more, 32 up and 32 back, of 207 MB each.
        Assert.InRange(link * card.Link.BytesPerSecond, 92 * 207e6, 94.5 * 208e6);
    }

    [Theory]
    [InlineData("rtx-4070-12gb")]
    [InlineData("rtx-4090-24gb")]
    [InlineData("rtx-4060-laptop-8gb")]
    public void From_the_told_number_of_tokens_on_layers_hide(string name)
    {
        Card card = Cards.TryFind(name)!;
        TrainingOptions Of(long tokens) => Streamed(SevenBillion(new StepShape((int)((tokens + 127) / 128), 128, 1)));
        long enough = LinkUse.Of(new TrainingLayout(Of(1), new CardProfile()), card).HidesFromTokens!.Value;

        LinkUse hidden = LinkUse.Of(new TrainingLayout(Of(enough), new CardProfile()), card);
        LinkUse seen = LinkUse.Of(new TrainingLayout(Of(enough / 3), new CardProfile()), card);
        Assert.InRange(hidden.WaitSeconds, 0, 0.05 * hidden.LinkSeconds);
        Assert.InRange(seen.WaitSeconds, 0.3 * seen.LinkSeconds, seen.LinkSeconds);
    }

    /// <summary>All that goes over the link comes from the file or goes into it, where layer inputs stay on the device.</summary>
    [Theory]
    [InlineData(5, 2, 3)]
    [InlineData(5, 4, 1)]
    [InlineData(2, 4, 2)]
    public void What_a_disk_reads_and_writes_is_what_the_step_asks_of_it(int layers, int slots, int gradAccum)
    {
        TrainingOptions options = Engine.Options(Engine.TinyModel(layers: layers), new StepShape(1, 8, gradAccum)) with
        {
            Memory = new MemoryOptions { Layers = new LayerPlacement(MemorySpace.Disk, slots), Weights = new WeightFormats(ResidualBits: 8, ResidualLayers: 1) },
        };
        var layout = new TrainingLayout(options, new CardProfile());
        var clock = new VirtualClock(Card, sequenceLength: 8);
        layout.Trace(clock);
        DiskUse disk = DiskUse.Of(layout)!;
        Assert.Equal(clock.LinkBytes, disk.BytesRead + disk.BytesWritten);
        Assert.InRange(disk.FileBytes, disk.BytesWritten, disk.BytesWritten + (layers * 40 * 256));
        Assert.Null(DiskUse.Of(new TrainingLayout(options with { Memory = new MemoryOptions() }, new CardProfile())));
    }

    [Fact]
    public void Nothing_is_told_where_nothing_goes_over_a_link()
    {
        TrainingOptions tiny = Engine.Options(Engine.TinyModel(), new StepShape(1, 8, 1));
        Assert.Empty(LinkUse.Of(new TrainingLayout(tiny, new CardProfile())));
        Assert.Empty(LinkUse.Of(new TrainingLayout(Streamed(tiny), new QApollo.Cpu.CpuProfile(threads: 1))));
        Assert.Equal(Cards.All.Count, LinkUse.Of(new TrainingLayout(Streamed(tiny), new CardProfile())).Count);
    }

    private static TrainingOptions SevenBillion(StepShape shape) => Engine.Options(LlamaPresets.Find("7b").Config, shape) with
    {
        Memory = new MemoryOptions { ExpandWeights = false },
    };

    private static TrainingOptions Streamed(TrainingOptions options) =>
        options with { Memory = options.Memory with { Layers = new LayerPlacement(MemorySpace.PinnedHost) } };

    private static (double Step, double Link) Seconds(TrainingLayout layout, Card card)
    {
        var clock = new VirtualClock(card, layout.Options.Shape.SequenceLength);
        layout.Trace(clock);
        return (clock.StepSeconds, clock.LinkSeconds);
    }

    private static void Transfer(VirtualClock clock, Tensor source, Tensor destination) =>
        clock.OnOperation("transfer", [new(source, AccessKind.Read), new(destination, AccessKind.Write)]);

    private static void Await(VirtualClock clock, Tensor source, Tensor destination) =>
        clock.OnOperation("await transfer", [new(source, AccessKind.Read), new(destination, AccessKind.ReadWrite)]);

    private static void Work(VirtualClock clock, double seconds) =>
        clock.OnOperation("zero", [new(new Tensor(9, DType.U8, 1, (int)(seconds * 1e9)), AccessKind.Write)]);
}
