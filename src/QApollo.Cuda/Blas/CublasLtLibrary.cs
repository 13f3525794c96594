using System.Runtime.InteropServices;

namespace QApollo.Cuda.Blas;

/// <summary>Finds cuBLASLt where a CUDA toolkit or a Python package has put it. That there is none is normal.</summary>
/// <param name="environment">Value of an environment variable, or null.</param>
public sealed class CublasLtLibrary(Func<string, string?> environment)
{
    /// <summary>Its names by version, the newest first; the functions used here are the same in all of them.</summary>
    private static readonly string[] Names = OperatingSystem.IsWindows()
        ? ["cublasLt64_13.dll", "cublasLt64_12.dll", "cublasLt64_11.dll"]
        : ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"];

    /// <summary>Where packages keep it below site-packages.</summary>
    private static readonly string[] PackageFolders = OperatingSystem.IsWindows()
        ? ["nvidia/cu13/bin/x86_64", "nvidia/cublas/bin", "torch/lib"]
        : ["nvidia/cu13/lib", "nvidia/cublas/lib", "torch/lib"];

    /// <summary>The first library that can be loaded.</summary>
    /// <param name="path">Only this file; null to search.</param>
    /// <returns>Where it was found, and its handle; null for none.</returns>
    public static (string Path, nint Handle)? Find(string? path = null)
    {
        foreach (string candidate in path is null ? new CublasLtLibrary(Environment.GetEnvironmentVariable).Candidates() : [path])
        {
            if (NativeLibrary.TryLoad(candidate, out nint handle))
            {
                return (candidate, handle);
            }
        }

        return null;
    }

    /// <summary>Files that exist and names for the system's loader, in the order of trial: CUDA_PATH, the loader, toolkits, Python packages.</summary>
    public IEnumerable<string> Candidates()
    {
        IEnumerable<string> InFolders(IEnumerable<string> folders) =>
            folders.SelectMany(folder => Names.Select(name => Path.Combine(folder, name))).Where(File.Exists);
        string[] toolkit = environment("CUDA_PATH") is { Length: > 0 } root ? [root] : [];
        return InFolders(LibraryFolders(toolkit)).Concat(Names).Concat(InFolders(LibraryFolders(Toolkits()))).Concat(InFolders(Packages()));
    }

    private static IEnumerable<string> LibraryFolders(IEnumerable<string> toolkits)
    {
        string[] below = OperatingSystem.IsWindows() ? ["bin/x64", "bin"] : ["lib64", "lib", "targets/x86_64-linux/lib"];
        return toolkits.SelectMany(toolkit => below.Select(folder => Path.Combine(toolkit, folder)));
    }

    private IEnumerable<string> Toolkits() => OperatingSystem.IsWindows()
        ? Newest(Path.Combine(environment("ProgramFiles") ?? string.Empty, "NVIDIA GPU Computing Toolkit", "CUDA"), "v*")
        : Newest("/usr/local", "cuda*").Append("/opt/cuda");

    private IEnumerable<string> Packages()
    {
        bool windows = OperatingSystem.IsWindows();
        string home = environment(windows ? "USERPROFILE" : "HOME") ?? string.Empty;
        string[] prefixes =
        [
            environment("VIRTUAL_ENV") ?? string.Empty, environment("CONDA_PREFIX") ?? string.Empty, Path.Combine(home, ".local"),
            Path.Combine(home, "miniconda3"), Path.Combine(home, "anaconda3"), "/usr/local", "/usr",
        ];
        IEnumerable<string> sites = prefixes.Where(Path.IsPathFullyQualified).SelectMany(prefix => windows
            ? [Path.Combine(prefix, "Lib", "site-packages")]
            : Newest(Path.Combine(prefix, "lib"), "python3*").SelectMany(python =>
                new[] { Path.Combine(python, "site-packages"), Path.Combine(python, "dist-packages") }));
        return sites.SelectMany(site => PackageFolders.Select(folder => Path.Combine(site, folder)));
    }

    /// <summary>Folders of that pattern, in descending order of their names.</summary>
    private static IEnumerable<string> Newest(string folder, string pattern) => Directory.Exists(folder)
        ? Directory.EnumerateDirectories(folder, pattern).OrderDescending(StringComparer.OrdinalIgnoreCase)
        : [];
}
