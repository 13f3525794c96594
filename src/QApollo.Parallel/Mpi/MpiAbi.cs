using System.Runtime.InteropServices;

namespace QApollo.Parallel.Mpi;

/// <summary>
/// In what MPI libraries differ, as far as this program uses them. Handles are addresses of the library's own objects (Open MPI), 32-bit
/// numbers (MPICH, its relatives and MS-MPI: their mpi.h), or small constants of pointer size (the standard's: MPI 5.0, chapter 20).
/// </summary>
/// <param name="World">The handle MPI_COMM_WORLD.</param>
/// <param name="Byte">The handle MPI_BYTE.</param>
/// <param name="Serialized">MPI_THREAD_SERIALIZED: any thread calls, one at a time. Higher levels have higher numbers.</param>
internal readonly record struct MpiAbi(nint World, nint Byte, int Serialized)
{
    private static readonly MpiAbi s_standard = new(World: 0x101, Byte: 0x247, Serialized: 2048);
    private static readonly MpiAbi s_mpich = new(World: 0x44000000, Byte: 0x4c00010d, Serialized: 2);

    /// <param name="name">Of the library's file.</param>
    /// <param name="handle">The library, loaded.</param>
    public static MpiAbi Of(string name, nint handle)
    {
        if (name.StartsWith("libmpi_abi", StringComparison.Ordinal))
        {
            return s_standard;
        }

        return NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out nint world)
            ? new MpiAbi(world, NativeLibrary.GetExport(handle, "ompi_mpi_byte"), Serialized: 2)
            : s_mpich;
    }
}
