using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Training;

namespace QApollo.Reports;

/// <summary>What goes over a card's link in one update, at the very best, and what it hides behind.</summary>
/// <param name="Bytes">Both ways: layers and their inputs, where they wait in host memory.</param>
/// <param name="LinkSeconds">At the peak of the link.</param>
/// <param name="ComputeSeconds">Of the operations, recomputed ones included, at the card's peaks.</param>
/// <param name="WaitSeconds">In which the operations wait for the link: the update takes this and <paramref name="ComputeSeconds"/>.</param>
/// <param name="HidesFromTokens">Tokens per update from which on the layers hide wholly; null where no number is enough.</param>
public sealed record LinkUse(Card Card, long Bytes, double LinkSeconds, double ComputeSeconds, double WaitSeconds, long? HidesFromTokens)
{
    /// <summary>On all known cards that the plan fits; none where nothing goes over a link.</summary>
    public static IReadOnlyList<LinkUse> Of(TrainingLayout layout) => layout.Plan.PinnedHostArenaBytes == 0 || layout.Plan.Profile.ComputesInHostMemory
        ? []
        : Of(layout, [.. Cards.All.Where(card => layout.Plan.DeviceTotalBytes <= card.UsableBytes)]);

    public static LinkUse Of(TrainingLayout layout, Card card) => Of(layout, [card])[0];

    private static LinkUse[] Of(TrainingLayout layout, Card[] cards)
    {
        int sequenceLength = layout.Options.Shape.SequenceLength;
        VirtualClock[] clocks = [.. cards.Select(card => new VirtualClock(card, sequenceLength))];
        layout.Trace(new Clocks(clocks, sequenceLength));
        return
        [
            .. clocks.Select(clock => new LinkUse(
                clock.Card, clock.LinkBytes, clock.LinkSeconds, clock.StepSeconds - clock.WaitSeconds, clock.WaitSeconds, HidesFrom(layout, clock.Card))),
        ];
    }

    /// <summary>
    /// While one layer is computed, the next one comes; backward, the one before goes back too. Both grow with nothing, the
    /// computation with the tokens, and with them grow the inputs and gradients of layers that go over the same link.
    /// </summary>
    private static long? HidesFrom(TrainingLayout layout, Card card)
    {
        TrainingOptions options = layout.Options;
        double layer = options.Memory.Layers.Space == MemorySpace.Device ? 0 : layout.Weights.Layers.Max(weights => (double)BytesOf(weights));
        DeviceProfile profile = layout.Plan.Profile;
        double value = options.Memory.Boundaries == MemorySpace.Device ? 0 : options.Model.HiddenSize / card.Link.BytesPerSecond;
        double boundary = value * profile.ActivationDType.Size(), kept = value * BoundaryStore.KeptBytes(options.Memory, profile);
        LayerWeights first = layout.Weights.Layers[0];
        double product = 2.0 * first.Matrices.Sum(weight => weight.Parameter.Elements) / card.BFloatFlops;
        double down = 2.0 * first.Down.Parameter.Elements / card.BFloatFlops;
        double attention = 2.0 * (options.Shape.SequenceLength + 1) * options.Model.QuerySize / card.BFloatFlops;

        // Forward an input comes and an output goes, with a copy where one is kept; backward an input and a gradient come and a gradient goes.
        double forward = product + attention - (2 * boundary) - (kept < boundary ? kept : 0);
        double backward = (3 * product) - down + (3.5 * attention) - (2 * boundary) - kept;
        double link = layer / card.Link.BytesPerSecond;
        return forward <= 0 || backward <= 0 ? null : (long)Math.Ceiling(Math.Max(link / forward, 2 * link / backward));
    }

    /// <summary>One look at a step for the clocks of all cards.</summary>
    private sealed class Clocks(VirtualClock[] clocks, int sequenceLength) : IOperationObserver
    {
        public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
        {
            var work = OperationWork.Of(operation, accesses, sequenceLength);
            foreach (VirtualClock clock in clocks)
            {
                clock.Advance(work, accesses);
            }
        }
    }

    internal static long BytesOf(LayerWeights layer) => layer.Matrices.Sum(weight =>
        weight.Values.Bytes + (weight.Scales?.Bytes ?? 0) + (weight.ZeroPoints?.Bytes ?? 0) + (weight.Residuals?.Bytes ?? 0));
}
