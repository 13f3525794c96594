using System.Runtime.InteropServices;
using System.Text;

namespace QApollo.Cli.Tests.Faults;

/// <summary>How calls on files fail; the numbers are those of faults.c.</summary>
internal enum FaultKind
{
    /// <summary>None does: calls are counted.</summary>
    Count = 0,

    /// <summary>Nothing more fits: ENOSPC.</summary>
    Full = 1,

    /// <summary>Nothing may be opened, made, renamed or removed: EACCES.</summary>
    Denied = 2,

    /// <summary>A write takes half of its bytes; where the fault lasts, the file then takes no more: EIO.</summary>
    Torn = 3,

    /// <summary>Reads, writes, flushes and renames fail: EIO.</summary>
    Broken = 4,

    /// <summary>All calls succeed, late.</summary>
    Slow = 5,
}

/// <summary>What the layer saw while it was armed.</summary>
/// <param name="Calls">On files of the folder, that the kind of fault can meet.</param>
/// <param name="Faults">Of these, the ones that met it.</param>
/// <param name="Call">The first of them.</param>
internal sealed record FaultCount(long Calls, long Faults, string Call);

/// <summary>The file layer that stands before the C library's in this process: <c>faults.c</c>, which LD_PRELOAD has put there.</summary>
internal sealed unsafe class FaultLayer
{
    private readonly delegate* unmanaged<byte*, int, nint, int, void> _arm;
    private readonly delegate* unmanaged<nint*, nint*, byte*, int, void> _disarm;

    /// <param name="library">The one that is preloaded.</param>
    public FaultLayer(string library)
    {
        nint handle = NativeLibrary.Load(library);
        _arm = (delegate* unmanaged<byte*, int, nint, int, void>)NativeLibrary.GetExport(handle, "faults_arm");
        _disarm = (delegate* unmanaged<nint*, nint*, byte*, int, void>)NativeLibrary.GetExport(handle, "faults_disarm");
    }

    /// <param name="folder">Only what lies there meets faults.</param>
    /// <param name="first">The call that fails, counted from 1.</param>
    /// <param name="lasts">All later ones fail too.</param>
    public void Arm(string folder, FaultKind kind, long first, bool lasts)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(folder + '\0'))
        {
            _arm(name, (int)kind, (nint)first, lasts ? 1 : 0);
        }
    }

    public FaultCount Disarm()
    {
        const int MostBytes = 64;
        nint calls;
        nint faults;
        byte* call = stackalloc byte[MostBytes];
        _disarm(&calls, &faults, call, MostBytes);
        return new FaultCount(calls, faults, Marshal.PtrToStringUTF8((nint)call)!);
    }
}
