using QApollo.Cuda.Driver;

namespace QApollo.Cuda.Blas;

/// <summary>cuBLASLt, opened in the current context.</summary>
internal sealed unsafe class CublasLt : IDisposable
{
    private const string Absent = "cuBLASLt was not found; give its file with --cublaslt, install a CUDA toolkit, or use --gemm own";

    private CublasLt(CublasLtTable table, nint handle, string path) => (Table, Handle, Path) = (table, handle, path);

    public CublasLtTable Table { get; }

    public nint Handle { get; }

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>"11.11.3".</summary>
    public string Version
    {
        get
        {
            nuint number = Table.GetVersion();
            return $"{number / 10_000}.{number / 100 % 100}.{number % 100}";
        }
    }

    /// <exception cref="CudaException">There is none, or it does not work on this GPU or with this driver.</exception>
    public static CublasLt Open(string? path)
    {
        if (CublasLtLibrary.Find(path) is not var (found, library))
        {
            throw new CudaException(path is null ? Absent : $"{path} could not be loaded as cuBLASLt");
        }

        var table = new CublasLtTable(library);
        nint handle;
        Check(table.Create(&handle), "cublasLtCreate");
        return new CublasLt(table, handle, found);
    }

    /// <exception cref="CudaException">The call and the status, when it is not success.</exception>
    public static void Check(int status, string call)
    {
        if (status != 0)
        {
            throw new CudaException($"{call} failed with cuBLAS status {status}{Meaning(status)}; --gemm own does without cuBLASLt", status);
        }
    }

    public void Dispose() => Table.Destroy(Handle);

    private static string Meaning(int status) => status switch
    {
        1 => " (not initialized: the library is newer than the driver, or too little memory is free)",
        3 => " (no memory)",
        7 => " (invalid value)",
        8 => " (not for this GPU)",
        13 => " (execution failed)",
        15 => " (not supported)",
        _ => string.Empty,
    };
}
