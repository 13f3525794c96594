using System.Globalization;
using QApollo.Collectives;
using QApollo.Cuda;
using QApollo.Devices;
using QApollo.Parallel;
using QApollo.Parallel.Nccl;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The device of a rank: with several ranks on a machine, each takes the card of its number there.</summary>
internal static class RankDevice
{
    private static readonly string[] CardKinds = ["cuda", "torch:cuda"];

    /// <exception cref="UsageException">There is no such device.</exception>
    public static DeviceChoice Of(OptionValues values, RankGroup group)
    {
        var choice = new DeviceChoice(values, coreSharers: group.CoreSharers, ranks: group.Ranks.Size);
        return group.Ranks.Size > 1 && Cards(choice) is { } cards
            ? new DeviceChoice(values, string.Create(CultureInfo.InvariantCulture, $"{cards}:{Ordinal(group)}"), ranks: group.Ranks.Size)
            : choice;
    }

    /// <summary>As run.json keeps it: with several ranks, without a number.</summary>
    public static string Recorded(DeviceChoice device, RankGroup group) => group.Ranks.Size > 1 ? Cards(device) ?? device.Name : device.Name;

    /// <summary>Connects the cards of all ranks.</summary>
    /// <param name="notes">Told why gradients travel through host memory.</param>
    /// <returns>Null where they do.</returns>
    /// <exception cref="UsageException">NCCL is demanded and not to be found, or cannot do what is asked for.</exception>
    public static ICommunicator? JoinCards(OptionValues values, ICommunicator ranks, IDevice device, TextWriter notes)
    {
        GradientExchange exchange = values.Get(T.Exchange);
        bool isNarrowed = values.Get(T.WireDType) == DType.BF16 && values.Get(T.GradDType) == DType.F32;
        if (ranks.Size == 1 || exchange == GradientExchange.Host)
        {
            return null;
        }

        if (device is not CudaDevice cuda)
        {
            const string Joins = "NCCL joins the cards of --device cuda";
            if (exchange == GradientExchange.Nccl)
            {
                throw new UsageException($"--exchange nccl: {Joins}; with --device {device.Profile.Name} gradients travel through host memory (--exchange host, or auto)") { OnAllRanks = true };
            }

            notes.Write(device.Profile.ComputesInHostMemory ? string.Empty : $"note: gradients travel through host memory: {Joins}{Environment.NewLine}");
            return null;
        }

        if (exchange == GradientExchange.Auto && isNarrowed)
        {
            return null;
        }

        if (isNarrowed)
        {
            throw new UsageException("--wire-dtype bf16: NCCL sends gradients as they are; --grad-dtype bf16 halves them, and --exchange host rounds them on their way") { OnAllRanks = true };
        }

        NcclCommunicator? cards = NcclCommunicator.TryJoin(ranks, cuda);
        if (cards is null && exchange == GradientExchange.Nccl)
        {
            throw new UsageException($"--exchange nccl: {NcclCommunicator.Advice}") { OnAllRanks = true };
        }

        notes.Write(cards is null ? $"note: gradients travel through host memory: {NcclCommunicator.Advice}{Environment.NewLine}" : string.Empty);
        return cards;
    }

    /// <summary>The name of its kind of device without a number; null where that is no card.</summary>
    private static string? Cards(DeviceChoice device) => Array.Find(CardKinds, kind => device.Name.StartsWith(kind, StringComparison.Ordinal));

    /// <summary>Some launchers let each process see but its own card.</summary>
    private static int Ordinal(RankGroup group) =>
        Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { Length: > 0 } visible && !visible.Contains(',', StringComparison.Ordinal) ? 0 : group.LocalRank;
}
