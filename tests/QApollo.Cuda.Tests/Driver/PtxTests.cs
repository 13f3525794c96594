using System.Collections;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using QApollo.Cuda.Driver;
using Xunit;

namespace QApollo.Cuda.Tests.Driver;

/// <summary>The committed PTX against the sources it was built from and against the kernels that the device launches.</summary>
public partial class PtxTests
{
    private static IEnumerable<string> ModuleNames =>
        Directory.EnumerateFiles(Repository.Kernels, "*.cu").Select(path => Path.GetFileNameWithoutExtension(path));

    public static TheoryData<string> Modules => [.. ModuleNames];

    /// <summary>The kernels that operations name, found in the device's static fields.</summary>
    internal static IReadOnlyList<Kernel> LaunchedKernels { get; } =
        [.. typeof(CudaDevice).GetFields(BindingFlags.NonPublic | BindingFlags.Static).SelectMany(f => KernelsOf(f.GetValue(null)))];

    [Theory]
    [MemberData(nameof(Modules))]
    public void Ptx_is_stamped_with_its_sources_and_its_own_text(string module)
    {
        string[] parts = Embedded(module).Split('\n', 3);
        Assert.True(parts[0] == $"// source {SourceStamp(module)}", $"sources of {module} changed: run tools/kernels/build.py write");
        Assert.True(parts[1] == $"// body {Digest(Encoding.UTF8.GetBytes(parts[2]))}", $"{module}.ptx was edited by hand");
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void Ptx_is_made_for_the_oldest_supported_card(string module)
    {
        Assert.Contains(".target sm_80\n", Embedded(module), StringComparison.Ordinal);
        Assert.Contains(".version 7.8\n", Embedded(module), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_entry_is_launched_with_its_block_size_and_its_number_of_parameters()
    {
        var entries = ModuleNames.SelectMany(Entries).ToHashSet();
        var launched = LaunchedKernels.Select(k => (k.Module, k.Name, k.Threads, k.Parameters)).ToHashSet();
        Assert.Empty(launched.Except(entries));
        Assert.Empty(entries.Except(launched));
        Assert.Equal(LaunchedKernels.Count, launched.Count);
    }

    [Fact]
    public void A_module_that_is_not_embedded_is_named()
    {
        var exception = Assert.Throws<CudaException>(() => KernelModules.ReadPtx("nothing"));
        Assert.Contains("without the kernels of nothing", exception.Message, StringComparison.Ordinal);
    }

    internal static IEnumerable<(string Module, string Name, int Threads, int Parameters)> Entries(string module)
    {
        foreach (Match entry in EntryPattern().Matches(Embedded(module)))
        {
            yield return (module, entry.Groups["name"].Value, int.Parse(entry.Groups["threads"].Value), entry.Groups["parameter"].Captures.Count);
        }
    }

    private static IEnumerable<Kernel> KernelsOf(object? value) => value switch
    {
        Kernel kernel => [kernel],
        IEnumerable<Kernel> kernels => kernels,
        IEnumerable or null => [],
        _ => value.GetType().GetProperty("All")?.GetValue(value) as IEnumerable<Kernel> ?? [],
    };

    private static string Embedded(string module) => Encoding.UTF8.GetString(KernelModules.ReadPtx(module)).TrimEnd('\0');

    private static string SourceStamp(string module)
    {
        string source = Path.Combine(Repository.Kernels, module + ".cu");
        var headers = new SortedSet<string>(StringComparer.Ordinal);
        AddHeaders(source, headers);
        List<byte[]> parts = [Normalized(source)];
        foreach (string header in headers)
        {
            parts.Add(Encoding.UTF8.GetBytes(header));
            parts.Add(Normalized(Path.Combine(Repository.Kernels, header)));
        }

        parts.Add("compute_80 -std=c++17 -fmad=false"u8.ToArray());
        return Digest([.. parts]);
    }

    /// <summary>The kernel headers that a file includes, directly or not.</summary>
    private static void AddHeaders(string path, SortedSet<string> headers)
    {
        foreach (Match include in IncludePattern().Matches(File.ReadAllText(path)))
        {
            string header = include.Groups["name"].Value;
            string headerPath = Path.Combine(Repository.Kernels, header);
            if (File.Exists(headerPath) && headers.Add(header))
            {
                AddHeaders(headerPath, headers);
            }
        }
    }

    private static byte[] Normalized(string path) => Encoding.UTF8.GetBytes(File.ReadAllText(path).ReplaceLineEndings("\n"));

    /// <summary>As build.py forms it: SHA-256 over parts, each behind its length.</summary>
    private static string Digest(params byte[][] parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (byte[] part in parts)
        {
            hash.AppendData(BitConverter.GetBytes((long)part.Length));
            hash.AppendData(part);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)\((\s*\.param [^,)]+(?<parameter>),?)*\s*\)\s*\.maxntid (?<threads>\d+), 1, 1")]
    private static partial Regex EntryPattern();

    [GeneratedRegex("^#include \"(?<name>\\w+\\.h)\"", RegexOptions.Multiline)]
    private static partial Regex IncludePattern();
}
