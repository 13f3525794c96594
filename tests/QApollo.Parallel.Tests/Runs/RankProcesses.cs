using System.Diagnostics;
using System.Text;
using QApollo.TestSupport;

namespace QApollo.Parallel.Tests.Runs;

/// <summary>The program on several ranks, as a user starts it.</summary>
internal sealed class RankProcesses : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    private readonly DateTime _started = DateTime.UtcNow;
    private readonly Process[] _processes;
    private readonly StringBuilder[] _outputs;

    private RankProcesses(IReadOnlyList<ProcessStartInfo> starts)
    {
        _outputs = [.. starts.Select(_ => new StringBuilder())];
        _processes = [.. starts.Select(Start)];
    }

    /// <summary>One process a rank under TCP; under MPI, the launcher alone.</summary>
    public IReadOnlyList<Process> Processes => _processes;

    /// <summary>RANK and WORLD_SIZE in the environment; no launcher.</summary>
    /// <param name="arguments">By rank.</param>
    /// <param name="hosts">Null for this one; else the last rank is on the second, all others on the first, which they call their own.</param>
    /// <param name="started">Ranks that come at all; null for all.</param>
    /// <param name="environment">More variables, or others.</param>
    /// <param name="more">Variables by rank.</param>
    /// <param name="programOf">By rank; null for the usual one.</param>
    /// <param name="folderOf">By rank; null for the common one.</param>
    public static RankProcesses Tcp(
        string folder, int size, Func<int, string[]> arguments, TwoHosts? hosts = null, IEnumerable<int>? started = null,
        IReadOnlyList<(string Name, string Value)>? environment = null, Func<int, (string Name, string Value)[]>? more = null, Func<int, string>? programOf = null, Func<int, string>? folderOf = null)
    {
        int port = FreePort.Find();
        return new RankProcesses([.. (started ?? Enumerable.Range(0, size)).Select(rank =>
        {
            string[] words = ["dotnet", programOf?.Invoke(rank) ?? Program, .. arguments(rank)];
            ProcessStartInfo start = Info(folderOf?.Invoke(rank) ?? folder, hosts?.On(HostOf(rank, size), words) ?? words);
            (start.Environment["RANK"], start.Environment["WORLD_SIZE"]) = ($"{rank}", $"{size}");
            (start.Environment["MASTER_ADDR"], start.Environment["MASTER_PORT"]) = (hosts is null || HostOf(rank, size) == 0 ? "127.0.0.1" : TwoHosts.Address(0), $"{port}");
            foreach ((string name, string value) in (environment ?? []).Concat(more?.Invoke(rank) ?? []))
            {
                start.Environment[name] = value;
            }

            return start;
        })]);
    }

    public static RankProcesses Mpi(Mpi mpi, string folder, int size, Func<int, string[]> arguments)
    {
        List<string> words = [.. mpi.Options];
        for (int rank = 0; rank < size; rank++)
        {
            words.AddRange(rank > 0 ? [":"] : []);
            words.AddRange(["-n", "1", "dotnet", Program, .. arguments(rank)]);
        }

        return new RankProcesses([Info(folder, [mpi.Launcher, .. words])]);
    }

    /// <summary>Open MPI over two hosts, which it reaches by a shell of the test's.</summary>
    public static RankProcesses MpiOver(Mpi mpi, TwoHosts hosts, string folder, int size, IReadOnlyList<string> arguments)
    {
        string shell = Path.Combine(folder, "remote-shell");
        string second = string.Join(' ', hosts.On(1, []).Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        File.WriteAllText(shell, $"#!/bin/sh\nshift\nexec {second} sh -c \"$*\"\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(shell, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        const string Network = "10.77.31.0/24";
        string[] words =
        [
            mpi.Launcher, .. mpi.Options, "--mca", "plm_rsh_agent", shell, "--mca", "btl", "self,vader,tcp", "--mca", "oob_tcp_if_include", Network, "--mca", "btl_tcp_if_include", Network,
            "--host", $"{TwoHosts.Address(0)}:{size - 1},{TwoHosts.Address(1)}:1", "-n", $"{size}", "dotnet", Program, .. arguments,
        ];
        return new RankProcesses([Info(folder, hosts.On(0, words))]);
    }

    /// <summary>Waits for all of them.</summary>
    /// <returns>Exit code, and standard output and error together, of each.</returns>
    public (int ExitCode, string Text)[] ToEnd(TimeSpan? limit = null)
    {
        var watch = Stopwatch.StartNew();
        foreach (Process process in _processes)
        {
            TimeSpan left = (limit ?? Limit) - watch.Elapsed;
            if (!process.WaitForExit(left > TimeSpan.Zero ? left : TimeSpan.Zero))
            {
                throw new TimeoutException("ranks did not end: " + string.Join(Environment.NewLine, _outputs.Select(text => text.ToString())));
            }

            process.WaitForExit();
        }

        return [.. _processes.Zip(_outputs, (process, text) => (process.ExitCode, text.ToString()))];
    }

    /// <summary>Waits until these processes, all of them joined, have begun to write the run's metrics.</summary>
    public void WaitForSteps(string runFolder)
    {
        var watch = Stopwatch.StartNew();
        var metrics = new FileInfo(Path.Combine(runFolder, "metrics.jsonl"));
        while (!metrics.Exists || metrics.Length == 0 || metrics.LastWriteTimeUtc < _started)
        {
            if (_processes.Any(process => process.HasExited) || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException("no step was done: " + string.Join(Environment.NewLine, _outputs.Select(text => text.ToString())));
            }

            Thread.Sleep(20);
            metrics.Refresh();
        }
    }

    /// <summary>Waits until a process has said this.</summary>
    public void WaitForText(int index, string text)
    {
        bool HasSaid()
        {
            lock (_outputs[index])
            {
                return _outputs[index].ToString().Contains(text, StringComparison.Ordinal);
            }
        }

        if (!SpinWait.SpinUntil(HasSaid, Limit))
        {
            throw new TimeoutException($"'{text}' was not said: {_outputs[index]}");
        }
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
            }

            process.Dispose();
        }
    }

    public static string Program => Path.Combine(AppContext.BaseDirectory, "qapollo.dll");

    private static int HostOf(int rank, int size) => rank == size - 1 ? 1 : 0;

    private static ProcessStartInfo Info(string folder, IReadOnlyList<string> words)
    {
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        return start;
    }

    private Process Start(ProcessStartInfo start, int index)
    {
        void Append(string? line)
        {
            lock (_outputs[index])
            {
                _ = line is null ? null : _outputs[index].AppendLine(line);
            }
        }

        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Append(line.Data);
        process.ErrorDataReceived += (_, line) => Append(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
