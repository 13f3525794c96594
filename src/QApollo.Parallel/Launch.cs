using System.Globalization;

namespace QApollo.Parallel;

/// <summary>Who started this process, and what is to carry the bytes between it and the others.</summary>
public enum Launcher
{
    /// <summary>A process by itself.</summary>
    None,

    /// <summary>mpirun or srun of Open MPI.</summary>
    OpenMpi,

    /// <summary>mpiexec of MPICH, MS-MPI, Intel MPI or another relative of theirs, or srun.</summary>
    Mpich,

    /// <summary>RANK and WORLD_SIZE, as torchrun sets them, or srun without an MPI plugin: a connection between every two ranks.</summary>
    Tcp,
}

/// <summary>What the launcher tells its processes, by their environment.</summary>
/// <param name="Size">Processes, 1 or more.</param>
/// <param name="MasterAddress">Host of rank 0; empty under MPI, which knows by itself.</param>
public sealed record Launch(Launcher Launcher, int Rank, int Size, string MasterAddress = "", int MasterPort = 0)
{
    /// <summary>The variable that sets <see cref="Patience"/>, in seconds.</summary>
    public const string PatienceVariable = "QAPOLLO_RANK_TIMEOUT";

    private const int UsualSeconds = 120;

    /// <summary>How long ranks that meet by TCP wait for those that do not come.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(UsualSeconds);

    /// <summary>A process by itself.</summary>
    public static Launch Alone { get; } = new(Launcher.None, 0, 1);

    /// <param name="environment">Value of a variable, or null.</param>
    /// <exception cref="UsageException">Variables contradict each other, or one is missing.</exception>
    public static Launch Read(Func<string, string?> environment)
    {
        if (Mpi(environment, Launcher.OpenMpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE") is { } openMpi)
        {
            return openMpi;
        }

        if (Mpi(environment, Launcher.Mpich, "PMI_RANK", "PMI_SIZE") is { } mpich)
        {
            return mpich;
        }

        if (Mpi(environment, Launcher.OpenMpi, "PMIX_RANK", "SLURM_NTASKS") is { } slurm)
        {
            return slurm;
        }

        if (environment("WORLD_SIZE") is { Length: > 0 } || environment("RANK") is { Length: > 0 })
        {
            return Tcp(environment, "RANK", "WORLD_SIZE", environment("MASTER_ADDR"), environment("MASTER_PORT"));
        }

        return SlurmStep.Has(environment)
            ? Tcp(environment, SlurmStep.Rank, SlurmStep.Size, SlurmStep.Address(environment), SlurmStep.Port(environment))
            : Alone;
    }

    private static Launch? Mpi(Func<string, string?> environment, Launcher launcher, string rankName, string sizeName)
    {
        if (environment(rankName) is not { Length: > 0 } || environment(sizeName) is not { Length: > 0 })
        {
            return null;
        }

        int size = Number(sizeName, environment(sizeName), 1, int.MaxValue);
        int rank = Number(rankName, environment(rankName), 0, size - 1);
        return size == 1 ? Alone : new Launch(launcher, rank, size);
    }

    /// <param name="address">Of rank 0; null where nobody tells.</param>
    /// <param name="port">Where it listens.</param>
    private static Launch Tcp(Func<string, string?> environment, string rankName, string sizeName, string? address, string? port)
    {
        int size = Number(sizeName, environment(sizeName), 1, 4096);
        int rank = Number(rankName, environment(rankName), 0, size - 1);
        if (size == 1)
        {
            return Alone;
        }

        if (address is not { Length: > 0 })
        {
            throw new UsageException($"MASTER_ADDR is not set: the host of rank 0, where the {size} ranks meet");
        }

        // torchrun's own store answers at its port.
        int next = environment("TORCHELASTIC_USE_AGENT_STORE") is "True" ? 1 : 0;
        string? seconds = environment(PatienceVariable);
        return new Launch(Launcher.Tcp, rank, size, address, Number("MASTER_PORT", port, 1, 65535 - next) + next)
        {
            Patience = TimeSpan.FromSeconds(seconds is { Length: > 0 } ? Number(PatienceVariable, seconds, 1, 86400) : UsualSeconds),
        };
    }

    private static int Number(string name, string? text, int least, int most)
    {
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new UsageException(
                text is { Length: > 0 }
                    ? $"{name} is {text}: it takes a number from {least} to {most}"
                    : $"{name} is not set: each of several ranks needs RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, and a process by itself none of them");
    }
}
