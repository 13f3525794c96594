using System.Runtime.InteropServices;

namespace QApollo.Parallel.Mpi;

/// <summary>An installed MPI library.</summary>
internal sealed record MpiLibrary(string Name, nint Handle, MpiAbi Abi)
{
    /// <summary>The standard's binary interface; some releases of MPICH 5.0 carry it with version 0.</summary>
    private static readonly string[] StandardNames = OperatingSystem.IsWindows() ? [] : ["libmpi_abi.so.1", "libmpi_abi.so.0"];

    private static readonly string[] OpenMpiNames = ["libmpi.so.40", .. StandardNames];
    private static readonly string[] MpichNames = OperatingSystem.IsWindows() ? ["msmpi.dll"] : ["libmpi.so.12", "libmpich.so.12", .. StandardNames];

    /// <summary>The library that belongs to the launcher.</summary>
    /// <exception cref="UsageException">There is none; the message says what to install.</exception>
    public static MpiLibrary Find(Launcher launcher)
    {
        string[] names = launcher == Launcher.OpenMpi ? OpenMpiNames : MpichNames;
        foreach (string name in names)
        {
            if (TryOpen(name) is { } library)
            {
                return library;
            }
        }

        string package = OperatingSystem.IsWindows() ? "Microsoft MPI" : launcher == Launcher.OpenMpi ? "Open MPI (Debian: libopenmpi3)" : "MPICH (Debian: libmpich12)";
        throw new UsageException(
            $"an MPI launcher started this process, but its library is not to be found ({string.Join(", ", names)}): install {package} on every host, or have LD_LIBRARY_PATH name its folder");
    }

    /// <param name="path">A name to search for, or a file.</param>
    /// <returns>Null where there is none.</returns>
    public static MpiLibrary? TryOpen(string path)
    {
        string name = Path.GetFileName(path);
        return NativeLibrary.TryLoad(path, out nint handle) ? new MpiLibrary(name, handle, MpiAbi.Of(name, handle)) : null;
    }
}
