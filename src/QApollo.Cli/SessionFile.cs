using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using QApollo.Cli.Commands;
using QApollo.Files;
using QApollo.Reports.Runs;

namespace QApollo.Cli;

/// <summary>sessions.jsonl of a run: where and with what each start of it was, for the reader of its report.</summary>
internal static class SessionFile
{
    /// <summary>What is longer begins anew: the page shows the newest session.</summary>
    private const int MostBytes = 1 << 20;

    /// <summary>Adds a line.</summary>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public static void Append(string run, int completedSteps, string device, string memory)
    {
        string path = Path.Combine(run, RunLog.SessionsName);
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteString("started", DateTimeOffset.Now.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture));
            json.WriteNumber("after step", completedSteps);
            json.WriteString("program", HelpCommand.Version);
            json.WriteString("device", device);
            json.WriteString("memory", memory);
            json.WriteString("host", Environment.MachineName);
            json.WriteString("system", RuntimeInformation.OSDescription);
            json.WriteString("runtime", RuntimeInformation.FrameworkDescription);
            json.WriteNumber("processors", Environment.ProcessorCount);
            json.WriteEndObject();
        }

        line.Write("\n"u8);
        Rewrite(path, earlier => [.. earlier, .. line.WrittenSpan]);
    }

    /// <summary>Adds what the session used to its line, the newest one.</summary>
    /// <param name="joules">Of the device, NaN if that is not known: nothing is added.</param>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public static void AddEnergy(string run, double joules)
    {
        const double JoulesPerKilowattHour = 3.6e6;
        if (double.IsFinite(joules))
        {
            string energy = string.Create(CultureInfo.InvariantCulture, $",\"energy\":\"{joules / JoulesPerKilowattHour:0.#####} kWh\"}}\n");
            Rewrite(Path.Combine(run, RunLog.SessionsName), lines => lines is [.., (byte)'}', (byte)'\n'] ? [.. lines[..^2], .. Encoding.UTF8.GetBytes(energy)] : lines);
        }
    }

    private static void Rewrite(string path, Func<byte[], byte[]> change)
    {
        try
        {
            // Written anew: lines never go to what a link of that name points to.
            PendingFile.WriteAll(path, change(RegularFile.LengthOf(path) is > 0 and < MostBytes ? File.ReadAllBytes(path) : []));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be written: {exception.Message}", exception);
        }
    }
}
