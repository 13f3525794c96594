using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QApollo.Parallel.Nccl;

/// <summary>ncclUniqueId: passed by value.</summary>
[InlineArray(Bytes)]
internal struct NcclUniqueId
{
    public const int Bytes = 128;

    private byte _first;
}

/// <summary>The functions of NCCL that a run needs, by their exported names (nccl.h). Results are an ncclResult_t (0: success).</summary>
internal sealed unsafe class NcclTable
{
    /// <summary>ncclFloat32.</summary>
    public const int Float32 = 7;

    /// <summary>ncclBfloat16.</summary>
    public const int BFloat16 = 9;

    /// <summary>ncclSum.</summary>
    public const int Sum = 0;

    public readonly delegate* unmanaged<int*, int> GetVersion;
    public readonly delegate* unmanaged<NcclUniqueId*, int> GetUniqueId;
    public readonly delegate* unmanaged<nint*, int, NcclUniqueId, int, int> CommInitRank;
    public readonly delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> AllReduce;
    public readonly delegate* unmanaged<nint, int> CommAbort;
    public readonly delegate* unmanaged<int, byte*> GetErrorString;

    private NcclTable(Func<string, nint> export)
    {
        GetVersion = (delegate* unmanaged<int*, int>)export("ncclGetVersion");
        GetUniqueId = (delegate* unmanaged<NcclUniqueId*, int>)export("ncclGetUniqueId");
        CommInitRank = (delegate* unmanaged<nint*, int, NcclUniqueId, int, int>)export("ncclCommInitRank");
        AllReduce = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)export("ncclAllReduce");
        CommAbort = (delegate* unmanaged<nint, int>)export("ncclCommAbort");
        GetErrorString = (delegate* unmanaged<int, byte*>)export("ncclGetErrorString");
    }

    /// <summary>Null where a function is missing: it is too old.</summary>
    public static NcclTable? TryRead(nint library)
    {
        try
        {
            return new NcclTable(name => NativeLibrary.GetExport(library, name));
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <exception cref="RunFailedException">It failed; the message says how NCCL calls it.</exception>
    public void Check(int result, string function)
    {
        if (result != 0)
        {
            throw new RunFailedException($"{function}: {Marshal.PtrToStringUTF8((nint)GetErrorString(result))} ({result}); NCCL_DEBUG=INFO tells more");
        }
    }
}
