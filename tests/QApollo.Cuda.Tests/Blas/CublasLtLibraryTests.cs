using QApollo.Cuda.Blas;
using QApollo.Cuda.Driver;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Cuda.Tests.Blas;

public class CublasLtLibraryTests
{
    [Fact]
    public void Toolkit_loader_and_python_packages_are_searched_in_this_order()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var folder = new TempFolder();
        string toolkit = Place(folder, "cuda/lib64/libcublasLt.so.12");
        string wheel = Place(folder, "venv/lib/python3.12/site-packages/nvidia/cublas/lib/libcublasLt.so.12");
        string newer = Place(folder, "venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcublasLt.so.13");
        string torch = Place(folder, "conda/lib/python3.11/site-packages/torch/lib/libcublasLt.so.11");
        var library = new CublasLtLibrary(name => name switch
        {
            "CUDA_PATH" => folder.File("cuda"),
            "VIRTUAL_ENV" => folder.File("venv"),
            "CONDA_PREFIX" => folder.File("conda"),
            _ => null,
        });
        string[] known = [toolkit, "libcublasLt.so.13", newer, wheel, torch];
        Assert.Equal(known, library.Candidates().Where(known.Contains));
    }

    [Fact]
    public void A_file_that_is_not_there_is_named()
    {
        Assert.Null(CublasLtLibrary.Find("/nowhere/libcublasLt.so"));
        var exception = Assert.Throws<CudaException>(() => CublasLt.Open("/nowhere/libcublasLt.so"));
        Assert.Equal("/nowhere/libcublasLt.so could not be loaded as cuBLASLt", exception.Message);
    }

    [Fact]
    public void A_library_that_is_something_else_is_refused()
    {
        var exception = Assert.Throws<CudaException>(() => CublasLt.Open(OperatingSystem.IsWindows() ? "kernel32.dll" : "libc.so.6"));
        Assert.Equal("the library lacks cublasLtGetVersion: it is no cuBLASLt", exception.Message);
    }

    private static string Place(TempFolder folder, string path)
    {
        string full = folder.File(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, []);
        return full;
    }
}
