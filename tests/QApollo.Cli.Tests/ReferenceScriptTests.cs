using System.Diagnostics;
using System.Reflection;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cli.Tests;

/// <summary>The scripts that measure against PyTorch, on a machine whose Python has none or a broken one.</summary>
public class ReferenceScriptTests
{
    private static readonly string Repository =
        typeof(ReferenceScriptTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "Repository").Value!;

    [WithPythonTheory]
    [InlineData("cpu/compare.py")]
    [InlineData("cpu/llama.py")]
    [InlineData("gpu/train.py")]
    [InlineData("gpu/peaks.py")]
    [InlineData("architectures/make_goldens.py")]
    public void Without_PyTorch_there_is_one_line(string script)
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.File("torch"));
        File.WriteAllText(Path.Combine(folder.File("torch"), "__init__.py"), "raise ImportError('libtorch is not there')\n");
        var start = new ProcessStartInfo("python3", ["-B", Path.Combine(Repository, "tools", "reference", script)])
        {
            WorkingDirectory = folder.Path,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["PYTHONPATH"] = folder.Path },
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.Equal((1, string.Empty), (process.ExitCode, output.Result));
        string line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith(Path.GetFileName(script) + ": ", line, StringComparison.Ordinal);
        Assert.Contains("cannot import PyTorch (libtorch is not there)", line, StringComparison.Ordinal);
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithPythonTheoryAttribute : TheoryAttribute
    {
        public WithPythonTheoryAttribute()
        {
            string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator);
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, "python3"))))
            {
                Skip = "python3 was not found";
            }
        }
    }
}
