using QApollo.Collectives;
using QApollo.Parallel.Mpi;
using QApollo.Parallel.Tcp;

namespace QApollo.Parallel;

/// <summary>The ranks of this run, joined as their launcher says.</summary>
public sealed class RankGroup : IDisposable
{
    private RankGroup(ICommunicator ranks)
    {
        Ranks = ranks;
        string[] hosts = ranks.GatherTexts(Environment.MachineName);
        LocalSize = hosts.Count(host => host == hosts[ranks.Rank]);
        LocalRank = hosts.Take(ranks.Rank).Count(host => host == hosts[ranks.Rank]);
        Hosts = hosts.Distinct().Count();
        string[] cores = ranks.GatherTexts(AllowedCores());
        CoreSharers = Enumerable.Range(0, ranks.Size).Count(rank => hosts[rank] == hosts[ranks.Rank] && cores[rank] == cores[ranks.Rank]);
    }

    public ICommunicator Ranks { get; }

    /// <summary>This process among those of its machine, from 0: the card that it takes.</summary>
    public int LocalRank { get; }

    /// <summary>Processes on this machine.</summary>
    public int LocalSize { get; }

    /// <summary>Machines.</summary>
    public int Hosts { get; }

    /// <summary>Processes on the cores of this one, itself included: 1 where the launcher gives each its own.</summary>
    public int CoreSharers { get; }

    /// <summary>Waits for all ranks. One process by itself loads and asks nothing.</summary>
    /// <param name="notes">Told, where that takes long, whom this rank waits for.</param>
    /// <exception cref="UsageException">What the launcher says makes no sense, or its MPI is not to be found.</exception>
    /// <exception cref="RunFailedException">The others do not come.</exception>
    public static RankGroup Join(TextWriter notes)
    {
        var launch = Launch.Read(Environment.GetEnvironmentVariable);
        bool isHeard = Spokesman.Of(Environment.GetEnvironmentVariable) != Voice.Silent;
        return new(launch.Launcher switch
        {
            Launcher.None => Alone.Instance,
            Launcher.Tcp => TcpCommunicator.Join(launch, isHeard ? notes : TextWriter.Null, notes),
            _ => MpiCommunicator.Join(launch),
        });
    }

    public void Dispose() => Ranks.Dispose();

    /// <summary>As the kernel lists them; empty where it does not tell.</summary>
    private static string AllowedCores()
    {
        const string Status = "/proc/self/status";
        return File.Exists(Status) ? File.ReadLines(Status).FirstOrDefault(line => line.StartsWith("Cpus_allowed_list", StringComparison.Ordinal)) ?? string.Empty : string.Empty;
    }
}
