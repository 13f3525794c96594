using System.Runtime.InteropServices;

namespace QApollo.Parallel.Nccl;

/// <summary>Finds NCCL. That there is none is normal: gradients then travel through host memory.</summary>
internal static partial class NcclLibrary
{
    /// <summary>What to install where there is none.</summary>
    public const string Advice = "libnccl.so.2 is not to be found: install NVIDIA's package libnccl2 (or the Python package nvidia-nccl-cu12), or have LD_LIBRARY_PATH name its folder";

    /// <summary>
    /// One algorithm and one protocol whatever the size, and no sums inside the switch: with these, equal inputs give equal sums
    /// in every run (a ring adds each piece up in one order, and sends it on as it is).
    /// </summary>
    private static readonly (string Name, string Value)[] Order = [("NCCL_ALGO", "Ring"), ("NCCL_PROTO", "Simple"), ("NCCL_NVLS_ENABLE", "0")];

    /// <param name="path">Only this file; null to search.</param>
    /// <returns>Null for none.</returns>
    public static NcclTable? Find(string? path = null)
    {
        if (OperatingSystem.IsWindows() || !NativeLibrary.TryLoad(path ?? "libnccl.so.2", out nint handle))
        {
            return null;
        }

        foreach ((string name, string value) in Order)
        {
            _ = SetEnvironment(name, value, overwrite: 1);
        }

        return NcclTable.TryRead(handle);
    }

    /// <summary>The C library's own environment: the runtime's is a copy that other libraries do not see.</summary>
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
