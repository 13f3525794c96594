using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Text;
using QApollo.Checkpoints;
using QApollo.Cli.Tests;
using QApollo.Runs;
using QApollo.TestSupport;
using Xunit;
using Xunit.Abstractions;

namespace QApollo.Parallel.Tests.Runs;

/// <summary>`qapollo train` on several ranks: equal bytes whatever carries them, one message for all, and deaths that lose nothing.</summary>
public class RunTests(ITestOutputHelper log)
{
    private const int Steps = 12;
    private static readonly string[] StateFiles = ["model.safetensors", "optimizer.safetensors", "state.json"];

    [OpenMpiFact]
    public void Open_MPI_and_TCP_train_to_the_same_bytes_and_to_the_loss_of_one_rank()
    {
        using var tiny = new TinyRun();
        using (RankProcesses one = RankProcesses.Tcp(tiny.Folder, 1, _ => tiny.Train("one", Steps, evalEvery: 6, "--grad-accum", "2")))
        {
            string text = RequireSuccess(one);
            Assert.DoesNotContain("ranks:", text, StringComparison.Ordinal);
        }

        using (RankProcesses tcp = RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("tcp", Steps, evalEvery: 6)))
        {
            Assert.Contains("ranks: 2 on 1 machine by TCP; 64 tokens per update", RequireSuccess(tcp), StringComparison.Ordinal);
        }

        using (RankProcesses mpi = RankProcesses.Mpi(Mpi.Open!, tiny.Folder, 2, _ => tiny.Train("mpi", Steps, evalEvery: 6)))
        {
            Assert.Contains("by MPI: Open MPI", RequireSuccess(mpi), StringComparison.Ordinal);
        }

        RequireEqual(tiny, "tcp", "mpi", Steps);
        double[] expected = Losses(tiny, "one");
        Assert.All(expected.Zip(Losses(tiny, "mpi")), pair => Assert.InRange(pair.Second, pair.First * 0.995, pair.First * 1.005));
    }

    /// <summary>Two ranks with their layers elsewhere, each in memory or a file of its own, train to the bytes of layers on the device.</summary>
    [Theory]
    [InlineData("host", "device", "auto")]
    [InlineData("disk", "host", "auto")]
    [InlineData("disk", "host", "int8")]
    public void Ranks_with_streamed_layers_train_to_the_same_bytes(string layers, string boundaries, string dtype)
    {
        using var tiny = new TinyRun();
        string[] More(params string[] more) => ["--grad-accum", "2", "--boundary-dtype", dtype, "--check-replicas", "3", .. more];
        using (RankProcesses plain = RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("plain", Steps, evalEvery: 6, More())))
        {
            RequireSuccess(plain);
        }

        using (RankProcesses streamed = RankProcesses.Tcp(
            tiny.Folder, 2, _ => tiny.Train("streamed", Steps, evalEvery: 6, More("--layers", layers, "--boundaries", boundaries))))
        {
            RequireSuccess(streamed);
        }

        RequireEqual(tiny, "plain", "streamed", Steps);
        Assert.Equal(Losses(tiny, "plain"), Losses(tiny, "streamed"));
        Assert.Empty(Directory.GetFiles(tiny.RunFolder("streamed"), "layers*"));
    }

    [MpichFact]
    public void Four_ranks_of_MPICH_train_and_two_of_TCP_go_on()
    {
        using var tiny = new TinyRun();
        using (RankProcesses mpi = RankProcesses.Mpi(Mpi.Mpich!, tiny.Folder, 4, _ => tiny.Train("run", Steps / 2, "--wire-dtype", "bf16", "--check-replicas", "2")))
        {
            Assert.Contains("ranks: 4 on 1 machine by MPI: MPICH", RequireSuccess(mpi), StringComparison.Ordinal);
        }

        using RankProcesses tcp = RankProcesses.Tcp(
            tiny.Folder, 2, _ => ["train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", $"{Steps}", "--grad-accum", "2"]);
        RequireSuccess(tcp);
        Assert.Equal(Steps, Losses(tiny, "run").Length);
        var state = RunState.Read(Path.Combine(tiny.RunFolder("run"), CheckpointFolder.NameOf(Steps), "state.json"));
        Assert.Equal(Steps * 8 * 16, state.Tokens);
    }

    [Theory]
    [InlineData("--seed 2", "qapollo: rank 1 has --seed 2, rank 0 has --seed 1: all ranks must be given the same")]
    [InlineData("--batch-size 3", "qapollo: rank 1 has --batch-size 3, rank 0 has --batch-size 2: all ranks must be given the same")]
    [InlineData("--model nowhere", "qapollo: rank 1: --model: ")]
    [InlineData("--device cuda:7", "qapollo: rank 1: ")]
    [InlineData("--data other.txt", "qapollo: rank 1 has --data ")]
    [InlineData("--model other.json", "qapollo: rank 1 has --model ")]
    [InlineData("--max-steps no", "qapollo: rank 1: --max-steps")]
    [InlineData("--data nowhere.txt", "qapollo: rank 1: ")]
    [InlineData("--dry-run", "qapollo: rank 1 has --dry-run on, rank 0 has --dry-run off: ")]
    public void What_one_rank_has_otherwise_is_told_once(string more, string expected)
    {
        using var tiny = new TinyRun();
        File.WriteAllText(Path.Combine(tiny.Folder, "other.txt"), string.Concat(Enumerable.Repeat("another text\n", 300)));
        File.WriteAllText(Path.Combine(tiny.Folder, "other.json"), File.ReadAllText(tiny.ModelPath).Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", StringComparison.Ordinal));
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 3, rank => tiny.Train("run", 3, rank == 1 ? more.Split(' ') : []));
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        string[] messages = [.. ends.SelectMany(end => end.Text.Split('\n')).Where(line => line.StartsWith("qapollo: ", StringComparison.Ordinal))];
        Assert.StartsWith(expected, Assert.Single(messages), StringComparison.Ordinal);
        Assert.All(ends, end => Assert.InRange(end.ExitCode, 1, 2));
        Assert.False(File.Exists(Path.Combine(tiny.RunFolder("run"), "run.json")));
    }

    [Fact]
    public void Fewer_sequences_than_ranks_and_faults_of_all_are_told_once()
    {
        using var tiny = new TinyRun();
        File.WriteAllText(tiny.TextPath, "Only a few words stand here.\n");
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 3, _ => tiny.Train("run", 3, "--valid-share", "0")), "sequences of 16 tokens are fewer than the 3 ranks");
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 3, "--lr", "high")), "--lr");
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 3, "--exchange", "nccl")), "--exchange nccl: NCCL joins the cards of --device cuda; with --device cpu gradients travel");
    }

    /// <summary>On hosts of their own, files of one name may be others: here, by a path that each process sees another file at.</summary>
    [Fact]
    public void Other_files_of_the_same_name_and_other_programs_are_told_once()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var tiny = new TinyRun();
        string second = Directory.CreateDirectory(Path.Combine(tiny.Folder, "second")).FullName;
        string config = File.ReadAllText(tiny.ModelPath);
        void Write(string name, string ofFirst, string ofSecond)
        {
            File.WriteAllText(Path.Combine(tiny.Folder, name), ofFirst);
            File.WriteAllText(Path.Combine(second, name), ofSecond);
        }

        string[] Arguments(string model, string data) =>
            ["train", "--model", $"/proc/self/cwd/{model}", "--data", $"/proc/self/cwd/{data}", "--output-dir", tiny.RunFolder("run"), "--cache-dir", "/proc/self/cwd/cache", "--max-steps", "3", "--batch-size", "1", "--seq-len", "16", "--threads", "1"];
        Write("model.json", config, config.Replace("1e-6", "1e-5", StringComparison.Ordinal));
        Write("same.json", config, config);
        Write("data.txt", File.ReadAllText(tiny.TextPath), File.ReadAllText(tiny.TextPath).Replace("Line 7 ", "Line 8 ", StringComparison.Ordinal));
        Write("same.txt", File.ReadAllText(tiny.TextPath), File.ReadAllText(tiny.TextPath));
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 2, _ => Arguments("model.json", "same.txt"), folderOf: rank => rank == 0 ? tiny.Folder : second), "rank 1 has a model of ");
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 2, _ => Arguments("same.json", "data.txt"), folderOf: rank => rank == 0 ? tiny.Folder : second), "rank 1 has as data ");
        string other = OtherVersion(tiny.Folder);
        RequireOneMessage(RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 3), programOf: rank => rank == 0 ? RankProcesses.Program : other), "rank 1 has the program 9.1.0");
        Assert.False(File.Exists(Path.Combine(tiny.RunFolder("run"), "run.json")));
    }

    [Fact]
    public void A_rank_that_never_comes_is_told_once()
    {
        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 3, _ => tiny.Train("run", 3), started: [0, 1], environment: [("QAPOLLO_RANK_TIMEOUT", "10")]);
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.Equal(1, end.ExitCode));
        string message = Assert.Single(ends.SelectMany(end => end.Text.Split('\n')), line => line.StartsWith("qapollo: ", StringComparison.Ordinal));
        Assert.StartsWith("qapollo: rank 0 has waited 10 s (QAPOLLO_RANK_TIMEOUT) for rank 2: start all 3", message, StringComparison.Ordinal);
    }

    /// <summary>Nobody can meet by such variables.</summary>
    [Theory]
    [InlineData("WORLD_SIZE", "0", false)]
    [InlineData("MASTER_PORT", "no", true)]
    public void A_launch_that_makes_no_sense_is_told_once(string name, string value, bool hasLauncher)
    {
        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Tcp(
            tiny.Folder, 3, _ => tiny.Train("run", 3), environment: [(name, value)], more: rank => hasLauncher ? [("LOCAL_RANK", $"{rank}")] : []);
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.Equal(2, end.ExitCode));
        Assert.StartsWith($"qapollo: {name} is {value}: it takes a number from 1 to ", ends[0].Text, StringComparison.Ordinal);
        Assert.Equal(hasLauncher ? string.Empty : $"rank 1 ends too: {name} is {value}", ends[1].Text.Trim());
    }

    /// <summary>srun without an MPI plugin: its tasks are no runs of their own.</summary>
    [Fact]
    public void The_environment_of_srun_is_understood()
    {
        using var tiny = new TinyRun();
        (string, string)[] step = [("RANK", ""), ("WORLD_SIZE", ""), ("MASTER_ADDR", ""), ("SLURM_STEP_NUM_NODES", "1"), ("SLURM_STEP_NODELIST", "somewhere"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_JOB_ID", "1")];
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 3), environment: step, more: rank => [("SLURM_PROCID", $"{rank}")]);
        Assert.Contains("ranks: 2 on 1 machine by TCP", RequireSuccess(ranks), StringComparison.Ordinal);
    }

    /// <summary>A process that is held cannot be told from one at work; but the death of another ends the third.</summary>
    [Fact]
    public void A_rank_that_is_held_is_named_and_does_not_hide_the_death_of_another()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 3, _ => tiny.Train("run", 1_000_000), environment: [("QAPOLLO_RANK_TIMEOUT", "10")]);
        ranks.WaitForSteps(tiny.RunFolder("run"));
        using (var shell = Process.Start("sh", ["-c", $"kill -STOP {ranks.Processes[1].Id}"]))
        {
            shell.WaitForExit();
        }

        ranks.WaitForText(0, "s for rank 1, which lives");
        ranks.Processes[0].Kill();
        Assert.True(ranks.Processes[2].WaitForExit(TimeSpan.FromSeconds(20)), "rank 2 waits for one that is held");
        ranks.Processes[1].Kill();
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.DoesNotContain("which lives", ends[2].Text, StringComparison.Ordinal);
        Assert.Contains("qapollo: rank 2: rank 0 is gone", ends[2].Text, StringComparison.Ordinal);
    }

    /// <summary>What torchrun sets; its own store listens at the port of the master.</summary>
    [Fact]
    public void The_environment_of_torchrun_is_understood()
    {
        using var tiny = new TinyRun();
        int port = FreePort.Find(adjacent: 2);
        using var store = new TcpListener(IPAddress.Loopback, port);
        store.Start();
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 3), environment:
        [
            ("MASTER_PORT", $"{port}"), ("TORCHELASTIC_USE_AGENT_STORE", "True"), ("TORCHELASTIC_RUN_ID", "none"), ("TORCHELASTIC_MAX_RESTARTS", "0"),
            ("TORCHELASTIC_RESTART_COUNT", "0"), ("GROUP_RANK", "0"), ("GROUP_WORLD_SIZE", "1"), ("LOCAL_WORLD_SIZE", "2"), ("ROLE_WORLD_SIZE", "2"), ("OMP_NUM_THREADS", "1"),
        ]);
        Assert.Contains("ranks: 2 on 1 machine by TCP", RequireSuccess(ranks), StringComparison.Ordinal);
    }

    /// <summary>Kills a random rank at a random moment, until the run has reached its end.</summary>
    [Fact]
    public void A_rank_that_dies_ends_the_others_and_loses_nothing()
    {
        const int Ranks = 3;
        const int Last = 400;
        int kills = int.TryParse(Environment.GetEnvironmentVariable("QAPOLLO_KILLS"), CultureInfo.InvariantCulture, out int value) ? value : 3;
        using var tiny = new TinyRun();
        var random = new Random(20260102);
        using (RankProcesses whole = RankProcesses.Tcp(tiny.Folder, Ranks, _ => tiny.Train("whole", Last, "--save-every", "5")))
        {
            RequireSuccess(whole);
        }

        int interrupted = 0;
        for (int kill = 0; kill < kills; kill++)
        {
            using RankProcesses ranks = Begin();
            ranks.WaitForSteps(tiny.RunFolder("killed"));
            Thread.Sleep(random.Next(300));
            int victim = random.Next(Ranks);
            ranks.Processes[victim].Kill();
            var watch = Stopwatch.StartNew();
            (int ExitCode, string Text)[] ends = ranks.ToEnd(TimeSpan.FromSeconds(30));
            log.WriteLine($"rank {victim} killed; all ended after {watch.Elapsed.TotalSeconds:F1} s");
            for (int rank = 0; rank < Ranks; rank++)
            {
                bool isDone = ends[rank].ExitCode == 0 && Directory.Exists(Path.Combine(tiny.RunFolder("killed"), CheckpointFolder.NameOf(Last)));
                interrupted += rank != victim && !isDone ? 1 : 0;
                Assert.True(rank == victim || isDone || ends[rank].Text.Contains($"qapollo: rank {rank}: rank {victim} is gone", StringComparison.Ordinal), ends[rank].Text);
            }
        }

        Assert.True(interrupted > 0, "every run was done before its rank was killed");
        using (RankProcesses last = Begin())
        {
            RequireSuccess(last);
        }

        RequireEqual(tiny, "whole", "killed", Last);

        RankProcesses Begin() => RankProcesses.Tcp(tiny.Folder, Ranks, _ => CheckpointFolder.List(tiny.RunFolder("killed")).Count == 0
            ? tiny.Train("killed", Last, "--save-every", "5")
            : ["train", "--resume", "--output-dir", tiny.RunFolder("killed")]);
    }

    [OpenMpiFact]
    public void Under_MPI_a_rank_that_fails_ends_the_others_with_its_own_words()
    {
        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Mpi(Mpi.Open!, tiny.Folder, 2, _ => tiny.Train("run", 1_000_000, "--save-every", "1"));
        ranks.WaitForSteps(tiny.RunFolder("run"));

        // Nothing can be saved any more, on the rank that saves.
        File.WriteAllText(tiny.RunFolder("in the way"), string.Empty);
        while (!TryReplace(tiny.RunFolder("run"), tiny.RunFolder("in the way")))
        {
        }

        (int ExitCode, string Text) end = Assert.Single(ranks.ToEnd(TimeSpan.FromSeconds(60)));
        Assert.NotEqual(0, end.ExitCode);
        Assert.Contains("qapollo: rank 0: ", end.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("qapollo: rank 1: ", end.Text, StringComparison.Ordinal);
    }

    /// <summary>Puts a file where a folder is; false where a save that was just beginning has made the folder anew.</summary>
    private static bool TryReplace(string folder, string file)
    {
        try
        {
            Directory.Move(folder, $"{folder}-{Guid.NewGuid():N}");
            File.Move(file, folder);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    [Fact]
    public void Asked_on_the_last_rank_all_save_and_stop()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Tcp(tiny.Folder, 2, _ => tiny.Train("run", 1_000_000, "--schedule", "constant"));
        ranks.WaitForSteps(tiny.RunFolder("run"));
        using (var shell = Process.Start("sh", ["-c", $"kill -INT {ranks.Processes[1].Id}"]))
        {
            shell.WaitForExit();
        }

        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.Equal(130, end.ExitCode));
        Assert.Contains("stopped; go on with: qapollo train --resume", ends[0].Text, StringComparison.Ordinal);
        Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
    }

    [Fact]
    public void The_hours_of_one_rank_end_all_after_the_same_step()
    {
        using var tiny = new TinyRun();
        using RankProcesses ranks = RankProcesses.Tcp(
            tiny.Folder, 2, rank => tiny.Train("run", 1_000_000, ["--schedule", "constant", .. rank == 1 ? (string[])["--hours", "0.001"] : []]));
        string text = RequireSuccess(ranks);
        (int step, _) = Assert.Single(CheckpointFolder.List(tiny.RunFolder("run")));
        Assert.Contains(FormattableString.Invariant($"after step {step:N0} of 1,000,000, the hours of another rank are over; go on with: "), text, StringComparison.Ordinal);
    }

    /// <summary>The program as another build of it would be: with another version written into its file.</summary>
    private static string OtherVersion(string folder)
    {
        string program = Directory.CreateDirectory(Path.Combine(folder, "other")).FullName;
        string origin = Path.GetDirectoryName(RankProcesses.Program)!;
        foreach (string path in Directory.EnumerateFileSystemEntries(origin))
        {
            File.CreateSymbolicLink(Path.Combine(program, Path.GetFileName(path)), path);
        }

        string library = Path.Combine(program, Path.GetFileName(RankProcesses.Program));
        byte[] bytes = File.ReadAllBytes(RankProcesses.Program);
        string version = Assembly.LoadFrom(RankProcesses.Program).GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        int place = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(version));
        bytes[place] = (byte)'9';
        bytes[place + 2] = (byte)'1';
        File.Delete(library);
        File.WriteAllBytes(library, bytes);
        return library;
    }

    private static string RequireSuccess(RankProcesses ranks)
    {
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.True(end.ExitCode == 0, end.Text));
        return ends[0].Text;
    }

    private static void RequireOneMessage(RankProcesses started, string expected)
    {
        using RankProcesses ranks = started;
        (int ExitCode, string Text)[] ends = ranks.ToEnd();
        Assert.All(ends, end => Assert.Equal(2, end.ExitCode));
        string message = Assert.Single(ends.SelectMany(end => end.Text.Split('\n')), line => line.StartsWith("qapollo: ", StringComparison.Ordinal));
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    private static double[] Losses(TinyRun tiny, string run) =>
        [.. MetricsHistory.Read(Path.Combine(tiny.RunFolder(run), "metrics.jsonl")).Losses.Select(loss => loss.Loss)];

    private static void RequireEqual(TinyRun tiny, string expected, string actual, int step)
    {
        foreach (string file in StateFiles)
        {
            byte[] Of(string run) => File.ReadAllBytes(Path.Combine(tiny.RunFolder(run), CheckpointFolder.NameOf(step), file));
            Assert.True(Of(expected).AsSpan().SequenceEqual(Of(actual)), $"{file} of {expected} and {actual} differ");
        }
    }
}
