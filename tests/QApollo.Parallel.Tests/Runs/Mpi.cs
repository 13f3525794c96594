using Xunit;

namespace QApollo.Parallel.Tests.Runs;

/// <summary>An MPI launcher that is installed.</summary>
/// <param name="Name">As its library tells.</param>
internal sealed record Mpi(string Name, string Launcher, IReadOnlyList<string> Options)
{
    public static Mpi? Open { get; } = Find("Open MPI", ["mpirun.openmpi"], ["--allow-run-as-root", "--oversubscribe"]);

    public static Mpi? Mpich { get; } = Find("MPICH", ["mpiexec.mpich", "mpiexec.hydra"], []);

    private static Mpi? Find(string name, IEnumerable<string> launchers, IReadOnlyList<string> options)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator);
        string? path = launchers.SelectMany(launcher => folders.Select(folder => Path.Combine(folder, launcher))).FirstOrDefault(File.Exists);
        return path is null ? null : new Mpi(name, path, options);
    }
}

/// <summary>Runs where Open MPI is installed.</summary>
internal sealed class OpenMpiFactAttribute : FactAttribute
{
    public OpenMpiFactAttribute() => Skip = Mpi.Open is null ? "needs Open MPI (Debian: openmpi-bin)" : null;
}

/// <summary>Runs where MPICH is installed.</summary>
internal sealed class MpichFactAttribute : FactAttribute
{
    public MpichFactAttribute() => Skip = Mpi.Mpich is null ? "needs MPICH (Debian: mpich)" : null;
}
