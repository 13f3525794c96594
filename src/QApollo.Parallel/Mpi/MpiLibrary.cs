using System.Runtime.InteropServices;

namespace QApollo.Parallel.Mpi;

/// <summary>
/// An installed MPI library. Two families of binary interfaces are in use, and a third is the standard's (MPI 5.0, chapter 21):
/// handles are addresses of the library's own objects (Open MPI), numbers (MPICH and its relatives), or small constants.
/// </summary>
/// <param name="World">The handle MPI_COMM_WORLD.</param>
/// <param name="Byte">The handle MPI_BYTE.</param>
internal sealed record MpiLibrary(string Name, nint Handle, nint World, nint Byte)
{
    private const string StandardAbi = "libmpi_abi.so.1";

    private static readonly string[] OpenMpiNames = ["libmpi.so.40", StandardAbi];
    private static readonly string[] MpichNames = OperatingSystem.IsWindows() ? ["msmpi.dll"] : ["libmpi.so.12", "libmpich.so.12", StandardAbi];

    /// <summary>The library that belongs to the launcher.</summary>
    /// <exception cref="UsageException">There is none; the message says what to install.</exception>
    public static MpiLibrary Find(Launcher launcher)
    {
        string[] names = launcher == Launcher.OpenMpi ? OpenMpiNames : MpichNames;
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint handle))
            {
                return Of(name, handle);
            }
        }

        string package = OperatingSystem.IsWindows() ? "Microsoft MPI" : launcher == Launcher.OpenMpi ? "Open MPI (Debian: libopenmpi3)" : "MPICH (Debian: libmpich12)";
        throw new UsageException(
            $"an MPI launcher started this process, but its library is not to be found ({string.Join(", ", names)}): install {package} on every host, or have LD_LIBRARY_PATH name its folder");
    }

    private static MpiLibrary Of(string name, nint handle)
    {
        if (name == StandardAbi)
        {
            return new MpiLibrary(name, handle, World: 0x101, Byte: 0x247);
        }

        return NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out nint world)
            ? new MpiLibrary(name, handle, world, NativeLibrary.GetExport(handle, "ompi_mpi_byte"))
            : new MpiLibrary(name, handle, World: 0x44000000, Byte: 0x4c00010d);
    }
}
