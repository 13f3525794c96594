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
    [InlineData("RANK=0 WORLD_SIZE=2 MASTER_ADDR=host MASTER_PORT=65535", Launcher.Tcp, 0, 2)]
    [InlineData("SLURM_NTASKS=8 SLURM_PROCID=0", Launcher.None, 0, 1)]
    [InlineData("SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", Launcher.None, 0, 1)]
    [InlineData("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=3 SLURM_STEP_NODELIST=a,b", Launcher.Tcp, 3, 8)]
    [InlineData("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=3 WORLD_SIZE=1 RANK=0", Launcher.None, 0, 1)]
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
    [InlineData("RANK=1", "WORLD_SIZE is not set")]
    [InlineData("SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=3", "MASTER_ADDR is not set")]
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

    /// <summary>As srun of Slurm 22.05 sets them for its tasks.</summary>
    [Theory]
    [InlineData("SLURM_STEP_NUM_NODES=1 SLURM_STEP_NODELIST=vm SLURM_JOB_ID=1 SLURM_STEP_ID=0", "localhost", 20031)]
    [InlineData("SLURM_STEP_NUM_NODES=2 SLURM_STEP_NODELIST=vm,gpu SLURM_JOB_ID=1 SLURM_STEP_ID=1", "vm", 20032)]
    [InlineData("SLURM_STEP_NODELIST=node[03-04,07],gpu1 SLURM_JOB_ID=4000000000 SLURM_STEP_ID=2", "node03", 20002)]
    [InlineData("SLURM_STEP_NODELIST=r[2,4]n-[1-8]x,a SLURM_JOB_ID=1", "r2n-1x", 20031)]
    [InlineData("SLURM_STEP_NODELIST=vm,gpu SLURM_JOB_ID=1 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500", "10.0.0.1", 29500)]
    public void Tasks_of_srun_meet_on_the_first_host_of_their_step(string environment, string address, int port)
    {
        Launch launch = Read("SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 " + environment);
        Assert.Equal((address, port), (launch.MasterAddress, launch.MasterPort));
    }

    [Theory]
    [InlineData("", Voice.Full)]
    [InlineData("RANK=0 WORLD_SIZE=0", Voice.Full)]
    [InlineData("RANK=1 WORLD_SIZE=0", Voice.Short)]
    [InlineData("RANK=1 WORLD_SIZE=x", Voice.Short)]
    [InlineData("RANK=1 WORLD_SIZE=4", Voice.Short)]
    [InlineData("RANK=4 WORLD_SIZE=4", Voice.Full)]
    [InlineData("RANK=x WORLD_SIZE=4", Voice.Full)]
    [InlineData("WORLD_SIZE=4", Voice.Full)]
    [InlineData("RANK=4 LOCAL_RANK=0", Voice.Full)]
    [InlineData("RANK=1 LOCAL_RANK=1", Voice.Silent)]
    [InlineData("OMPI_COMM_WORLD_LOCAL_RANK=1", Voice.Silent)]
    [InlineData("PMI_RANK=4 MPI_LOCALRANKID=0", Voice.Full)]
    [InlineData("PMI_RANK=4", Voice.Silent)]
    [InlineData("SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1", Voice.Silent)]
    [InlineData("SLURM_LOCALID=0 RANK=1", Voice.Short)]
    public void One_process_speaks_for_those_of_its_launcher(string environment, Voice voice) => Assert.Equal(voice, Spokesman.Of(Variables(environment)));

    private static Launch Read(string environment) => Launch.Read(Variables(environment));

    private static Func<string, string?> Variables(string environment)
    {
        Dictionary<string, string> variables = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        return variables.GetValueOrDefault;
    }
}
