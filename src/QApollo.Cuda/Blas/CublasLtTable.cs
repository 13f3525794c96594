using System.Runtime.InteropServices;
using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Blas;

/// <summary>The functions of cuBLASLt that the products use, by their exported names. Handles are pointers, results a cublasStatus_t (0: success).</summary>
internal sealed unsafe class CublasLtTable
{
    public readonly delegate* unmanaged<nuint> GetVersion;
    public readonly delegate* unmanaged<nint*, int> Create;
    public readonly delegate* unmanaged<nint, int> Destroy;
    public readonly delegate* unmanaged<nint*, int, int, int> MatmulDescCreate;
    public readonly delegate* unmanaged<nint, int, void*, nuint, int> MatmulDescSetAttribute;
    public readonly delegate* unmanaged<nint, int> MatmulDescDestroy;
    public readonly delegate* unmanaged<nint*, int, ulong, ulong, long, int> LayoutCreate;
    public readonly delegate* unmanaged<nint, int> LayoutDestroy;
    public readonly delegate* unmanaged<nint*, int> PreferenceCreate;
    public readonly delegate* unmanaged<nint, int, void*, nuint, int> PreferenceSetAttribute;
    public readonly delegate* unmanaged<nint, int> PreferenceDestroy;
    public readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int> GetHeuristic;
    public readonly delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, float*, nint, nint, nint, nint, MatmulAlgorithm*, nint, nuint, nint, int> Matmul;

    /// <exception cref="CudaException">The library lacks a function.</exception>
    public CublasLtTable(nint library)
    {
        void* Export(string name) => NativeLibrary.TryGetExport(library, name, out nint address)
            ? (void*)address
            : throw new CudaException($"the library lacks {name}: it is no cuBLASLt");

        GetVersion = (delegate* unmanaged<nuint>)Export("cublasLtGetVersion");
        Create = (delegate* unmanaged<nint*, int>)Export("cublasLtCreate");
        Destroy = (delegate* unmanaged<nint, int>)Export("cublasLtDestroy");
        MatmulDescCreate = (delegate* unmanaged<nint*, int, int, int>)Export("cublasLtMatmulDescCreate");
        MatmulDescSetAttribute = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulDescSetAttribute");
        MatmulDescDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulDescDestroy");
        LayoutCreate = (delegate* unmanaged<nint*, int, ulong, ulong, long, int>)Export("cublasLtMatrixLayoutCreate");
        LayoutDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatrixLayoutDestroy");
        PreferenceCreate = (delegate* unmanaged<nint*, int>)Export("cublasLtMatmulPreferenceCreate");
        PreferenceSetAttribute = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulPreferenceSetAttribute");
        PreferenceDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulPreferenceDestroy");
        GetHeuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int>)Export("cublasLtMatmulAlgoGetHeuristic");
        Matmul = (delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, float*, nint, nint, nint, nint, MatmulAlgorithm*, nint, nuint, nint, int>)Export("cublasLtMatmul");
    }
}

/// <summary>cublasLtMatmulAlgo_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MatmulAlgorithm
{
    public fixed ulong Data[8];
}

/// <summary>cublasLtMatmulHeuristicResult_t.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HeuristicResult
{
    public MatmulAlgorithm Algorithm;
    public nuint WorkspaceBytes;
    public int State;
    public float Waves;
    public fixed int Reserved[4];
}
