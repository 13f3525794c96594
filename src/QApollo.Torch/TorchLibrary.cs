using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;

namespace QApollo.Torch;

/// <summary>Finds and loads libtorch and its binding; one line for each way in which that fails.</summary>
internal static class TorchLibrary
{
    /// <summary>The version that TorchSharp's binding was built against; another one has other symbols.</summary>
    public const string Version = "2.10.0";

    private const string HowToGet =
        "build with -p:Torch=cpu (or cuda-windows, cuda-linux), or name a folder of libtorch " + Version + " with --libtorch; see docs/torch.md";

    private static readonly Lock Loading = new();
    private static string? s_loadedFrom;

    /// <exception cref="TorchException">It does not load.</exception>
    public static void Load(string? folder, bool needsCuda)
    {
        lock (Loading)
        {
            if (s_loadedFrom is null)
            {
                LoadLibtorch(folder);
                LoadBinding();
                s_loadedFrom = folder ?? string.Empty;
            }
            else if (folder is not null && folder != s_loadedFrom)
            {
                throw new TorchException($"libtorch is loaded already, from {(s_loadedFrom.Length == 0 ? "beside the program" : s_loadedFrom)}: a process has one");
            }
        }

        if (!torch.TryInitializeDeviceType(DeviceType.CPU) || (needsCuda && !torch.cuda.is_available()))
        {
            throw new TorchException(needsCuda
                ? "libtorch finds no CUDA: it needs an NVIDIA driver and a libtorch with CUDA (-p:Torch=cuda-windows or cuda-linux, or its folder with --libtorch); --device torch computes on the CPU"
                : $"TorchSharp does not accept the libtorch that was loaded; it needs {Version}");
        }
    }

    /// <exception cref="TorchException">There are fewer devices.</exception>
    public static void RequireCuda(int ordinal)
    {
        int count = torch.cuda.device_count();
        if (ordinal >= count)
        {
            throw new TorchException(string.Create(CultureInfo.InvariantCulture, $"torch:cuda:{ordinal}: libtorch finds {count} CUDA device{(count == 1 ? string.Empty : "s")}, numbered from 0"));
        }
    }

    private static void LoadLibtorch(string? folder)
    {
        if (folder is null)
        {
            Try("torch_cpu", path: null, $"there is no libtorch: {HowToGet}");
            return;
        }

        string libraries = FindLibraries(folder);
        string? version = FindVersion(libraries);
        if (version is not null && version != Version)
        {
            throw new TorchException($"--libtorch: {folder} has libtorch {version}; TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)} needs {Version}");
        }

        // The binding finds what is loaded by its name, so the order is that of the dependencies.
        foreach (string name in (string[])["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"])
        {
            string path = Path.Combine(libraries, FileName(name));
            if (File.Exists(path))
            {
                RequireWhole(path);
                Try(name, path, $"--libtorch: {path} does not load");
            }
        }
    }

    private static void LoadBinding() => Try("LibTorchSharp", path: null, $"LibTorchSharp does not load with this libtorch; it needs {Version}");

    private static string FindLibraries(string folder)
    {
        string[] candidates = [folder, Path.Combine(folder, "lib"), Path.Combine(folder, "torch", "lib")];
        return Array.Find(candidates, candidate => File.Exists(Path.Combine(candidate, FileName("torch_cpu"))))
            ?? throw new TorchException($"--libtorch: {folder} has no {FileName("torch_cpu")}, nor has its lib folder: name an unpacked libtorch, or Python's torch folder");
    }

    /// <summary>As a libtorch (build-version) or Python's torch (version.py) states it; null where neither is there.</summary>
    internal static string? FindVersion(string libraries)
    {
        string parent = Path.GetDirectoryName(Path.GetFullPath(libraries)) ?? libraries;
        foreach (string folder in (string[])[libraries, parent])
        {
            string plain = Path.Combine(folder, "build-version"), python = Path.Combine(folder, "version.py");
            string? text = File.Exists(plain) ? File.ReadAllText(plain)
                : File.Exists(python) ? Array.Find(File.ReadAllLines(python), line => line.StartsWith("__version__", StringComparison.Ordinal))?.Split('=').ElementAtOrDefault(1)
                : null;
            if (!string.IsNullOrWhiteSpace(text))
            {
                return text.Trim().Trim('\'', '"').Split('+')[0];
            }
        }

        return null;
    }

    private static void Try(string name, string? path, string otherwise)
    {
        try
        {
            _ = path is null ? NativeLibrary.Load(name, typeof(TorchLibrary).Assembly, searchPath: null) : NativeLibrary.Load(path);
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
        {
            throw new TorchException(Explain(exception.Message) ?? (Reason(exception.Message) is { } reason ? $"libtorch does not load: {reason}" : otherwise), exception);
        }
    }

    /// <summary>The system's loader maps a file that was cut short, and the process ends when it reads beyond its end.</summary>
    /// <exception cref="TorchException">An ELF file ends before its table of sections, which stands last, does.</exception>
    internal static void RequireWhole(string path)
    {
        using FileStream file = File.OpenRead(path);
        Span<byte> header = stackalloc byte[64];
        if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || !header.StartsWith("\u007FELF\u0002\u0001"u8))
        {
            return;
        }

        ulong end = BinaryPrimitives.ReadUInt64LittleEndian(header[0x28..])
            + ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(header[0x3A..]) * BinaryPrimitives.ReadUInt16LittleEndian(header[0x3C..]));
        if ((ulong)file.Length < end)
        {
            throw new TorchException($"--libtorch: {path} is cut short: {file.Length} of at least {end} bytes; unpack it again");
        }
    }

    /// <summary>Why a library that is there does not load: of all places where it was looked for, the one that has it.</summary>
    internal static string? Reason(string message) => message.Split('\n', StringSplitOptions.TrimEntries)
        .FirstOrDefault(line => line.Contains(".so: ", StringComparison.Ordinal) && !line.Contains("No such file", StringComparison.Ordinal));

    /// <summary>What the system's loader says, for those failures that have a remedy of their own.</summary>
    internal static string? Explain(string message)
    {
        int runtime = message.IndexOf("GLIBCXX_", StringComparison.Ordinal);
        runtime = runtime >= 0 ? runtime : message.IndexOf("GLIBC_", StringComparison.Ordinal);
        if (runtime >= 0)
        {
            string symbol = new([.. message[runtime..].TakeWhile(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.')]);
            return $"the C++ runtime of this system is too old for LibTorchSharp: it lacks {symbol} (Debian 13, Ubuntu 24.04 and later have it; tools/torch/test.sh shows a way on Debian 12)";
        }

        // glibc says no more of it: it is ENOMEM of a limit of address space, or EPERM of a file system without execution.
        return message.Contains("failed to map segment", StringComparison.Ordinal)
                ? $"libtorch does not load: {Reason(message) ?? message}: this process may take too little memory for it (see ulimit -v), or its file system is mounted noexec"
            : message.Contains("undefined symbol", StringComparison.Ordinal) ? $"LibTorchSharp does not fit this libtorch: it needs {Version}"
            : null;
    }

    private static string FileName(string name) => OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";
}
