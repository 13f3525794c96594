using QApollo.Checkpoints;
using QApollo.Cli.Tests;
using Xunit;

namespace QApollo.Parallel.Tests.Runs;

/// <summary>`qapollo train` over two hosts: two ranks on the first, one on the second.</summary>
public class TwoHostsTests
{
    private const int Ranks = 3;
    private const int Steps = 6;

    [TwoHostsFact]
    public void They_train_to_the_bytes_of_one_host()
    {
        using var tiny = new TinyRun();
        using var hosts = new TwoHosts();
        using (RankProcesses near = RankProcesses.Tcp(tiny.Folder, Ranks, _ => tiny.Train("near", Steps)))
        {
            Assert.Contains("ranks: 3 on 1 machine by TCP", Success(near), StringComparison.Ordinal);
        }

        using (RankProcesses far = RankProcesses.Tcp(tiny.Folder, Ranks, _ => tiny.Train("far", Steps), hosts))
        {
            Assert.Contains("ranks: 3 on 2 machines by TCP", Success(far), StringComparison.Ordinal);
        }

        Assert.Equal(Model(tiny, "near"), Model(tiny, "far"));
        if (Mpi.Open is { } mpi)
        {
            using RankProcesses byMpi = RankProcesses.MpiOver(mpi, hosts, tiny.Folder, Ranks, tiny.Train("mpi", Steps));
            Assert.Contains("ranks: 3 on 2 machines by MPI: Open MPI", Success(byMpi), StringComparison.Ordinal);
            Assert.Equal(Model(tiny, "near"), Model(tiny, "mpi"));
        }
    }

    /// <summary>A host without power does not say goodbye.</summary>
    [TwoHostsFact]
    public void A_host_that_falls_silent_ends_the_others()
    {
        using var tiny = new TinyRun();
        using var hosts = new TwoHosts();
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, Ranks, _ => tiny.Train("run", 1_000_000), hosts);
        ranks.WaitForSteps(tiny.RunFolder("run"));
        hosts.Cut();
        (int ExitCode, string Text)[] ends = ranks.ToEnd(TimeSpan.FromSeconds(60));
        Assert.All(ends, end => Assert.Equal(1, end.ExitCode));
        Assert.Contains("qapollo: rank 0: rank 2 is gone", ends[0].Text, StringComparison.Ordinal);
        Assert.Contains("qapollo: rank 1: rank 2 is gone", ends[1].Text, StringComparison.Ordinal);
    }

    private static byte[] Model(TinyRun tiny, string run) =>
        File.ReadAllBytes(Path.Combine(tiny.RunFolder(run), CheckpointFolder.NameOf(Steps), "model.safetensors"));

    private static string Success(RankProcesses ranks)
    {
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.True(end.ExitCode == 0, end.Text));
        return ends[0].Text;
    }
}
