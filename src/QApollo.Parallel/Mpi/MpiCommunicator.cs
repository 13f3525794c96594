using System.Text;
using QApollo.Collectives;

namespace QApollo.Parallel.Mpi;

/// <summary>
/// All ranks that an MPI launcher started. Its library only moves bytes; sums are the program's own, in an order of its own. A
/// rank that dies, or an error of MPI, ends all ranks: the launcher sees to it, and names the rank.
/// </summary>
internal sealed unsafe class MpiCommunicator : ICommunicator
{
    /// <summary>MPI_MAX_LIBRARY_VERSION_STRING is this or less in every library.</summary>
    private const int LongestVersion = 8192;

    private readonly MpiAbi _abi;
    private readonly MpiTable _mpi;

    private MpiCommunicator(MpiLibrary library, MpiTable mpi, int rank, int size, int threads, string version)
    {
        (_abi, _mpi, Rank, Size) = (library.Abi, mpi, rank, size);
        ServesAnyThread = threads >= library.Abi.Serialized;
        Description = $"MPI: {version}";
    }

    public int Rank { get; }

    public int Size { get; }

    public string Description { get; }

    public bool ServesAnyThread { get; }

    /// <exception cref="UsageException">There is no library, or it is not the launcher's.</exception>
    public static MpiCommunicator Join(Launch launch) => Join(launch, MpiLibrary.Find(launch.Launcher));

    /// <inheritdoc cref="Join(Launch)"/>
    internal static MpiCommunicator Join(Launch launch, MpiLibrary library)
    {
        var mpi = new MpiTable(library);
        int provided;
        int rank;
        int size;
        Require(mpi.InitThread(null, null, library.Abi.Serialized, &provided), "MPI_Init_thread");
        Require(mpi.CommRank(library.Abi.World, &rank), "MPI_Comm_rank");
        Require(mpi.CommSize(library.Abi.World, &size), "MPI_Comm_size");
        if (size != launch.Size)
        {
            throw new UsageException(
                $"the launcher started {launch.Size} ranks, and {library.Name} knows of {size}: they are of different MPIs; have LD_LIBRARY_PATH name the folder of the launcher's");
        }

        return new MpiCommunicator(library, mpi, rank, size, provided, Version(mpi));
    }

    public void AllToAll(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        int piece = source.Length / Size;
        fixed (byte* from = source)
        fixed (byte* to = destination)
        {
            Require(_mpi.AllToAll(from, piece, _abi.Byte, to, piece, _abi.Byte, _abi.World), "MPI_Alltoall");
        }
    }

    public void AllGather(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        fixed (byte* from = source)
        fixed (byte* to = destination)
        {
            Require(_mpi.AllGather(from, source.Length, _abi.Byte, to, source.Length, _abi.Byte, _abi.World), "MPI_Allgather");
        }
    }

    public void Broadcast(Span<byte> bytes, int root)
    {
        fixed (byte* buffer = bytes)
        {
            Require(_mpi.Broadcast(buffer, bytes.Length, _abi.Byte, root, _abi.World), "MPI_Bcast");
        }
    }

    public void Barrier() => Require(_mpi.Barrier(_abi.World), "MPI_Barrier");

    public void Abort(int exitCode) => _mpi.Abort(_abi.World, exitCode);

    public void Dispose() => _mpi.Finalize();

    /// <summary>Its first line, up to the first comma: the rest tells how it was built.</summary>
    private static string Version(MpiTable mpi)
    {
        var text = new byte[LongestVersion];
        int length;
        fixed (byte* buffer = text)
        {
            Require(mpi.LibraryVersion(buffer, &length), "MPI_Get_library_version");
        }

        string all = Encoding.UTF8.GetString(text, 0, Array.IndexOf(text, (byte)0));
        string[] words = all.Split([',', '\n'], 2)[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return string.Join(' ', words);
    }

    private static void Require(int error, string function)
    {
        if (error != 0)
        {
            throw new RunFailedException($"{function} failed with error {error}");
        }
    }
}
