using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using QApollo.Parallel.Mpi;
using Xunit;

namespace QApollo.Parallel.Tests.Mpi;

/// <summary>mpi_stand_in.c, compiled to a library under the name of a real one.</summary>
internal sealed unsafe class MpiStandIn
{
    private MpiStandIn(string path) => Library = MpiLibrary.TryOpen(path) ?? throw new InvalidOperationException($"{path} cannot be loaded");

    public MpiLibrary Library { get; }

    /// <summary>Ranks that have called MPI_Finalize.</summary>
    public int Finalized => ((delegate* unmanaged<int>)NativeLibrary.GetExport(Library.Handle, "stand_in_finalized"))();

    public static bool CanBeBuilt { get; } = OperatingSystem.IsLinux() && Compile("--version") is null;

    /// <param name="name">Of the file.</param>
    public static MpiStandIn Build(string folder, string name, params string[] options)
    {
        string path = Path.Combine(folder, name);
        return Compile(["-shared", "-fPIC", "-O1", "-pthread", "-Wall", "-Werror", .. options, "-o", path, Path.Combine(SourceFolder(), "mpi_stand_in.c")]) is { } error
            ? throw new InvalidOperationException(error)
            : new MpiStandIn(path);
    }

    /// <summary>The next threads that join are ranks 0, 1, ...</summary>
    public void Start(int size) => ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(Library.Handle, "stand_in_start"))(size);

    private static string? Compile(params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("cc", arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : error;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return exception.Message;
        }
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}

/// <summary>Runs where a C compiler is.</summary>
internal sealed class MpiStandInTheoryAttribute : TheoryAttribute
{
    public MpiStandInTheoryAttribute() => Skip = MpiStandIn.CanBeBuilt ? null : "needs Linux with a C compiler (Debian: gcc)";
}
