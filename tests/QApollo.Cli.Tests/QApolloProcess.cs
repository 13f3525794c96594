using System.Diagnostics;
using System.Text;

namespace QApollo.Cli.Tests;

/// <summary>Runs the program as a user does: in a process of its own.</summary>
internal static class QApolloProcess
{
    /// <summary>Generous: the machine may be busy. A hang is a failure.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>Runs to the end.</summary>
    public static ProcessResult Run(params string[] arguments) => RunIn(Path.GetTempPath(), arguments);

    public static ProcessResult RunIn(string folder, params string[] arguments)
    {
        using Process process = Start(folder, arguments, out StringBuilder output, out StringBuilder error);
        return ToEnd(process, arguments, output, error);
    }

    /// <summary>Runs to the end with a variable added to its environment.</summary>
    public static ProcessResult RunWith((string Name, string Value) variable, params string[] arguments)
    {
        using Process process = Start(Path.GetTempPath(), arguments, out StringBuilder output, out StringBuilder error, variable: variable);
        return ToEnd(process, arguments, output, error);
    }

    /// <summary>Runs to the end with that text on standard input.</summary>
    public static ProcessResult RunWithInput(string input, string[] arguments)
    {
        using Process process = Start(Path.GetTempPath(), arguments, out StringBuilder output, out StringBuilder error, redirectInput: true);
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return ToEnd(process, arguments, output, error);
    }

    /// <summary>Runs another program that lies beside this one, to the end.</summary>
    public static ProcessResult RunProgram(string assembly, params string[] arguments)
    {
        using Process process = Start(Path.GetTempPath(), arguments, out StringBuilder output, out StringBuilder error, assembly: assembly);
        return ToEnd(process, arguments, output, error);
    }

    private static ProcessResult ToEnd(Process process, string[] arguments, StringBuilder output, StringBuilder error)
    {
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"qapollo {string.Join(' ', arguments)} did not end");
        }

        process.WaitForExit();
        return new ProcessResult(process.ExitCode, output.ToString(), error.ToString());
    }

    /// <summary>Starts and leaves it running.</summary>
    public static Process Start(
        string folder, string[] arguments, out StringBuilder output, out StringBuilder error, bool redirectInput = false,
        (string Name, string Value)? variable = null, string assembly = "qapollo.dll")
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = redirectInput,
            StandardInputEncoding = redirectInput ? new UTF8Encoding(false) : null,
        };
        // A killed process would leave the runtime's debugging sockets in the temporary folder.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        if (variable is { } added)
        {
            start.Environment[added.Name] = added.Value;
        }

        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, assembly));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        var outputText = new StringBuilder();
        var errorText = new StringBuilder();
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Append(outputText, line.Data);
        process.ErrorDataReceived += (_, line) => Append(errorText, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        (output, error) = (outputText, errorText);
        return process;
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
}

internal sealed record ProcessResult(int ExitCode, string Output, string Error);
