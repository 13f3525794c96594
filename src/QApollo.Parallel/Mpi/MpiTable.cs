using System.Runtime.InteropServices;

namespace QApollo.Parallel.Mpi;

/// <summary>
/// The functions of MPI that a run needs. Handles are passed as native integers, of which an interface with 32-bit handles
/// reads the lower half.
/// </summary>
internal sealed unsafe class MpiTable(MpiLibrary library)
{
    public readonly delegate* unmanaged<int*, byte***, int, int*, int> InitThread =
        (delegate* unmanaged<int*, byte***, int, int*, int>)Export(library, "MPI_Init_thread");

    public readonly delegate* unmanaged<nint, int*, int> CommRank = (delegate* unmanaged<nint, int*, int>)Export(library, "MPI_Comm_rank");

    public readonly delegate* unmanaged<nint, int*, int> CommSize = (delegate* unmanaged<nint, int*, int>)Export(library, "MPI_Comm_size");

    public readonly delegate* unmanaged<byte*, int, nint, byte*, int, nint, nint, int> AllToAll =
        (delegate* unmanaged<byte*, int, nint, byte*, int, nint, nint, int>)Export(library, "MPI_Alltoall");

    public readonly delegate* unmanaged<byte*, int, nint, byte*, int, nint, nint, int> AllGather =
        (delegate* unmanaged<byte*, int, nint, byte*, int, nint, nint, int>)Export(library, "MPI_Allgather");

    public readonly delegate* unmanaged<byte*, int, nint, int, nint, int> Broadcast =
        (delegate* unmanaged<byte*, int, nint, int, nint, int>)Export(library, "MPI_Bcast");

    public readonly delegate* unmanaged<nint, int> Barrier = (delegate* unmanaged<nint, int>)Export(library, "MPI_Barrier");

    public readonly delegate* unmanaged<nint, int, int> Abort = (delegate* unmanaged<nint, int, int>)Export(library, "MPI_Abort");

    public readonly delegate* unmanaged<int> Finalize = (delegate* unmanaged<int>)Export(library, "MPI_Finalize");

    public readonly delegate* unmanaged<byte*, int*, int> LibraryVersion =
        (delegate* unmanaged<byte*, int*, int>)Export(library, "MPI_Get_library_version");

    private static nint Export(MpiLibrary library, string name) => NativeLibrary.TryGetExport(library.Handle, name, out nint address)
        ? address
        : throw new UsageException($"{library.Name} has no {name}: it is no MPI library of version 3 or newer");
}
