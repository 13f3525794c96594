using System.Diagnostics;
using System.Text;

namespace QApollo.Cli.Tests;

/// <summary>Runs the program as a user does: in a process of its own.</summary>
internal static class QApolloProcess
{
    /// <summary>Runs to the end.</summary>
    public static ProcessResult Run(params string[] arguments) => RunIn(Path.GetTempPath(), arguments);

    public static ProcessResult RunIn(string folder, params string[] arguments)
    {
        using RunningProcess process = Start(folder, arguments);
        return process.WaitForEnd();
    }

    /// <summary>Runs to the end with a variable added to its environment.</summary>
    public static ProcessResult RunWith((string Name, string Value) variable, params string[] arguments)
    {
        using RunningProcess process = Start(Path.GetTempPath(), arguments, variable: variable);
        return process.WaitForEnd();
    }

    /// <summary>Runs to the end with that text on standard input.</summary>
    public static ProcessResult RunWithInput(string input, string[] arguments)
    {
        using RunningProcess process = Start(Path.GetTempPath(), arguments, redirectInput: true);
        process.Input.Write(input);
        process.Input.Close();
        return process.WaitForEnd();
    }

    /// <summary>Runs another program that lies beside this one, to the end.</summary>
    public static ProcessResult RunProgram(string assembly, params string[] arguments)
    {
        using RunningProcess process = Start(Path.GetTempPath(), arguments, assembly: assembly);
        return process.WaitForEnd();
    }

    /// <summary>Starts and leaves it running.</summary>
    public static RunningProcess Start(
        string folder, string[] arguments, bool redirectInput = false, (string Name, string Value)? variable = null, string assembly = "qapollo.dll")
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

        return new RunningProcess(start);
    }
}

internal sealed record ProcessResult(int ExitCode, string Output, string Error);
