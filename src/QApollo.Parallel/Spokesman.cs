using System.Globalization;

namespace QApollo.Parallel;

/// <summary>How much a process says of a fault that the others may have too, before it knows of them.</summary>
public enum Voice
{
    /// <summary>All of it.</summary>
    Full,

    /// <summary>What is wrong with it, since its terminal may be one of its own.</summary>
    Short,

    /// <summary>Nothing: another process of the same launcher, on the same machine, says it.</summary>
    Silent,
}

/// <summary>One message instead of one from each rank, where they cannot agree on who writes it.</summary>
public static class Spokesman
{
    /// <summary>A process among those that its launcher started on the same machine: Open MPI, MPICH and its relatives, torchrun.</summary>
    private static readonly string[] PlaceNames = ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "LOCAL_RANK"];

    /// <param name="environment">Value of a variable, or null.</param>
    public static Voice Of(Func<string, string?> environment)
    {
        string? slurm = Number(environment, SlurmStep.Size) > 1 ? "SLURM_LOCALID" : null;
        foreach (string? name in (string?[])[.. PlaceNames, slurm, "PMI_RANK"])
        {
            if (name is not null && Number(environment, name) is { } place)
            {
                return place == 0 ? Voice.Full : Voice.Silent;
            }
        }

        // By hand. A rank that is none of its run's has a fault of its own.
        return Number(environment, "RANK") is { } rank and > 0 && (Number(environment, "WORLD_SIZE") is not { } size || size == 0 || rank < size)
            ? Voice.Short
            : Voice.Full;
    }

    private static int? Number(Func<string, string?> environment, string name) =>
        int.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
