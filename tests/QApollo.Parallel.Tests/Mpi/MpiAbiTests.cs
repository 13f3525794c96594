using QApollo.Parallel.Mpi;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Parallel.Tests.Mpi;

/// <summary>Every binary interface that no test machine has: its handles and constants, between ranks that are threads.</summary>
public class MpiAbiTests
{
    private const int Size = 3;

    [MpiStandInTheory]
    [InlineData("libmpi_abi.so.1", "MPI: stand-in of the standard ABI", "-DSTANDARD_ABI")]
    [InlineData("libmpi_abi.so.0", "MPI: stand-in of the standard ABI", "-DSTANDARD_ABI")]
    [InlineData("msmpi.dll", "MPI: Stand-in MPI 10.1")]
    [InlineData("libmpi.so.12", "MPI: Stand-in MPI 10.1")]
    public void Bytes_travel_by_its_handles(string name, string description, params string[] options)
    {
        using var folder = new TempFolder();
        MpiStandIn mpi = MpiStandIn.Build(folder.Path, name, options);
        mpi.Start(Size);
        var results = new Outcome[Size];
        Thread[] threads = [.. Enumerable.Range(0, Size).Select(_ => new Thread(() =>
        {
            using var ranks = MpiCommunicator.Join(new Launch(Launcher.Mpich, 0, Size), mpi.Library);
            results[ranks.Rank] = Exchange(ranks);
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        for (int rank = 0; rank < Size; rank++)
        {
            Assert.Equal((description, true), (results[rank].Description, results[rank].ServesAnyThread));
            Assert.Equal<byte>([(byte)rank, (byte)(10 + rank), (byte)(20 + rank)], results[rank].Pieces);
            Assert.Equal<byte>([0, 10, 20], results[rank].Gathered);
            Assert.Equal(7, Assert.Single(results[rank].Broadcast));
        }

        Assert.Equal(Size, mpi.Finalized);
    }

    /// <summary>Piece j of rank i is 10 i + j.</summary>
    private static Outcome Exchange(MpiCommunicator ranks)
    {
        byte[] source = [.. Enumerable.Range(0, Size).Select(to => (byte)((10 * ranks.Rank) + to))];
        var pieces = new byte[Size];
        ranks.AllToAll(source, pieces);
        var gathered = new byte[Size];
        ranks.AllGather(source.AsSpan(0, 1), gathered);
        byte[] shared = [(byte)(ranks.Rank == 1 ? 7 : 0)];
        ranks.Broadcast(shared, root: 1);
        ranks.Barrier();
        return new Outcome(ranks.Description, ranks.ServesAnyThread, pieces, gathered, shared);
    }

    private sealed record Outcome(string Description, bool ServesAnyThread, byte[] Pieces, byte[] Gathered, byte[] Broadcast);
}
