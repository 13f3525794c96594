using System.Diagnostics;
using System.Text;

namespace QApollo.Cli.Tests;

/// <summary>A process that is at work, and what it has written so far. It does not outlive the test, however that ends.</summary>
internal sealed class RunningProcess : IDisposable
{
    /// <summary>Generous: the machine may be slow and busy. Whatever takes longer hangs.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    /// <param name="start">With both outputs redirected.</param>
    public RunningProcess(ProcessStartInfo start)
    {
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Append(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Append(_error, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Lines that it has written to standard output.</summary>
    public string Output => Read(_output);

    /// <summary>Lines that it has written to standard error.</summary>
    public string Error => Read(_error);

    public StreamWriter Input => _process.StandardInput;

    /// <summary>Waits until it is true, as it must become while the process goes on.</summary>
    /// <exception cref="TimeoutException">The process ended before, or hangs.</exception>
    public void WaitFor(Func<bool> isTrue)
    {
        var watch = Stopwatch.StartNew();
        while (!isTrue())
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new TimeoutException($"what a test waits for did not come; the process {(_process.HasExited ? $"ended with {_process.ExitCode}" : "hangs")}:\n{Output}{Error}");
            }

            Thread.Sleep(20);
        }
    }

    /// <summary>Until the first step of a run stands in its metrics.</summary>
    public void WaitForSteps(string run)
    {
        var metrics = new FileInfo(Path.Combine(run, "metrics.jsonl"));
        WaitFor(() =>
        {
            metrics.Refresh();
            return metrics.Exists && metrics.Length > 0;
        });
    }

    /// <summary>Until it has computed for so long from now on, however slow or busy the machine is.</summary>
    public void WaitForWork(TimeSpan processorTime)
    {
        TimeSpan Used()
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }

        TimeSpan end = Used() + processorTime;
        WaitFor(() => Used() >= end);
    }

    /// <summary>Sends signals by a shell, which "kill" and the number of the process are put together for.</summary>
    /// <param name="names">One behind the other, without a pause: "INT", "TERM".</param>
    public void Send(params string[] names)
    {
        using var shell = Process.Start("sh", ["-c", string.Join("; ", names.Select(name => $"kill -{name} {Id}"))]);
        shell.WaitForExit();
    }

    /// <summary>Whether it ends by itself within the time.</summary>
    public bool EndsWithin(TimeSpan time) => _process.WaitForExit(time);

    /// <returns>The exit code, with everything that it has written.</returns>
    /// <exception cref="TimeoutException">It hangs.</exception>
    public ProcessResult WaitForEnd()
    {
        if (!_process.WaitForExit(Limit))
        {
            throw new TimeoutException($"the process did not end; it has written:\n{Output}{Error}");
        }

        // For the last of the output, too.
        _process.WaitForExit();
        return new ProcessResult(_process.ExitCode, Output, Error);
    }

    public void Kill()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }

    private static string Read(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }
}
