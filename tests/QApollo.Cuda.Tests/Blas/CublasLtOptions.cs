namespace QApollo.Cuda.Tests.Blas;

/// <summary>Options that find cuBLASLt in the emulator.</summary>
internal static class CublasLtOptions
{
    public static CudaOptions Always { get; } = new() { Gemm = GemmChoice.CublasLt, CublasLtPath = Repository.SimtLibrary };

    public static CudaOptions Of(string path, GemmChoice gemm = GemmChoice.Auto) => new() { Gemm = gemm, CublasLtPath = path };
}
