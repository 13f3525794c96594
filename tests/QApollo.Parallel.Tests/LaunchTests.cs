using Xunit;

namespace QApollo.Parallel.Tests;

public class LaunchTests
{
    [Theory]
    [InlineData("", Launcher.None, 0, 1)]
    [InlineData("OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4", Launcher.OpenMpi, 2, 4)]
    [InlineData("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1", Launcher.None, 0, 1)]
    [InlineData("PMI_RANK=1 PMI_SIZE=2", Launcher.Mpich, 1, 2)]
    [InlineData("PMIX_RANK=3 SLURM_NTASKS=8", Launcher.OpenMpi, 3, 8)]
    [InlineData("RANK=1 WORLD_SIZE=2 MASTER_ADDR=host MASTER_PORT=29500", Launcher.Tcp, 1, 2)]
    [InlineData("RANK=0 WORLD_SIZE=1", Launcher.None, 0, 1)]
    [InlineData("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 RANK=0 WORLD_SIZE=2", Launcher.OpenMpi, 1, 2)]
    [InlineData("SLURM_NTASKS=8 SLURM_PROCID=3", Launcher.None, 0, 1)]
    public void The_environment_tells_who_started_the_process(string environment, Launcher launcher, int rank, int size)
    {
        Launch launch = Read(environment);
        Assert.Equal((launcher, rank, size), (launch.Launcher, launch.Rank, launch.Size));
    }

    [Theory]
    [InlineData("WORLD_SIZE=0 RANK=0", "WORLD_SIZE is 0: it takes a number from 1")]
    [InlineData("WORLD_SIZE=x RANK=0", "WORLD_SIZE is x")]
    [InlineData("WORLD_SIZE=2 RANK=2", "RANK is 2: it takes a number from 0 to 1")]
    [InlineData("WORLD_SIZE=2 RANK=-1", "RANK is -1")]
    [InlineData("WORLD_SIZE=2", "RANK is not")]
    [InlineData("WORLD_SIZE=2 RANK=0", "MASTER_ADDR is not set")]
    [InlineData("WORLD_SIZE=2 RANK=0 MASTER_ADDR=host", "MASTER_PORT is not")]
    [InlineData("WORLD_SIZE=2 RANK=0 MASTER_ADDR=host MASTER_PORT=70000", "MASTER_PORT is 70000")]
    [InlineData("OMPI_COMM_WORLD_RANK=4 OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK is 4")]
    public void What_makes_no_sense_is_refused(string environment, string message) =>
        Assert.Contains(message, Assert.Throws<UsageException>(() => Read(environment)).Message, StringComparison.Ordinal);

    [Fact]
    public void Beside_the_store_of_torchrun_the_ranks_meet_at_the_next_port()
    {
        const string Environment = "RANK=1 WORLD_SIZE=2 MASTER_ADDR=host MASTER_PORT=29500";
        Assert.Equal(29500, Read(Environment).MasterPort);
        Assert.Equal(29501, Read(Environment + " TORCHELASTIC_USE_AGENT_STORE=True").MasterPort);
    }

    private static Launch Read(string environment)
    {
        Dictionary<string, string> variables = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        return Launch.Read(variables.GetValueOrDefault);
    }
}
