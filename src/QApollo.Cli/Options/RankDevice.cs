using System.Globalization;
using QApollo.Parallel;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Options;

/// <summary>The device of a rank: with several ranks on a machine, each takes the card of its number there.</summary>
internal static class RankDevice
{
    private const string Cuda = "cuda";

    /// <exception cref="UsageException">There is no such device.</exception>
    public static DeviceChoice Of(OptionValues values, RankGroup group)
    {
        var choice = new DeviceChoice(values, coreSharers: group.CoreSharers);
        return group.Ranks.Size > 1 && IsCuda(choice)
            ? new DeviceChoice(values, string.Create(CultureInfo.InvariantCulture, $"{Cuda}:{Ordinal(group)}"))
            : choice;
    }

    /// <summary>As run.json keeps it: with several ranks, without a number.</summary>
    public static string Recorded(DeviceChoice device, RankGroup group) => group.Ranks.Size > 1 && IsCuda(device) ? Cuda : device.Name;

    private static bool IsCuda(DeviceChoice device) => device.Name.StartsWith(Cuda, StringComparison.Ordinal);

    /// <summary>Some launchers let each process see but its own card.</summary>
    private static int Ordinal(RankGroup group) =>
        Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { Length: > 0 } visible && !visible.Contains(',', StringComparison.Ordinal) ? 0 : group.LocalRank;
}
