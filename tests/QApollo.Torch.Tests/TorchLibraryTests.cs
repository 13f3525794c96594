using QApollo.TestSupport;
using Xunit;

namespace QApollo.Torch.Tests;

/// <summary>Each way in which libtorch cannot be used has a line that says what would help.</summary>
public sealed class TorchLibraryTests
{
    [Theory]
    [InlineData("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by libLibTorchSharp.so)", "it lacks GLIBCXX_3.4.32 ")]
    [InlineData("/lib/libc.so.6: version `GLIBC_2.38' not found", "it lacks GLIBC_2.38 ")]
    [InlineData("no/libtorch_cpu.so: cannot open shared object file: No such file or directory\nthere/libtorch_cpu.so: failed to map segment from shared object\nlibtorch_cpu: cannot open", "does not load: there/libtorch_cpu.so: failed to map segment from shared object: this process may take too little memory for it (see ulimit -v)")]
    [InlineData("libLibTorchSharp.so: undefined symbol: _ZN3c1011", "does not fit this libtorch: it needs 2.10.0")]
    public void What_the_loader_says_becomes_a_line(string message, string expected) =>
        Assert.Contains(expected, TorchLibrary.Explain(message), StringComparison.Ordinal);

    [Fact]
    public void An_unknown_failure_has_no_explanation() => Assert.Null(TorchLibrary.Explain("cannot open shared object file"));

    [Theory]
    [InlineData("build-version", "2.10.0+cpu\n", "2.10.0")]
    [InlineData("version.py", "from typing import Optional\n__version__ = '2.5.1+cu124'\ndebug = False\n", "2.5.1")]
    [InlineData("version.py", "debug = False\n__version__\n", null)]
    [InlineData("build-version", "", null)]
    [InlineData("README", "2.5.1", null)]
    public void A_folder_states_its_version(string file, string text, string? expected)
    {
        using var folder = new TempFolder();
        string libraries = Path.Combine(folder.Path, "lib");
        Directory.CreateDirectory(libraries);
        File.WriteAllText(Path.Combine(folder.Path, file), text);
        Assert.Equal(expected, TorchLibrary.FindVersion(libraries));
    }

    [Theory]
    [InlineData("no/libtorch_cpu.so: cannot open shared object file: No such file or directory\nthere/libtorch_cpu.so: failed to map segment from shared object", "there/libtorch_cpu.so: failed to map segment from shared object")]
    [InlineData("no/libtorch_cpu.so: cannot open shared object file: No such file or directory\nlibtorch_cpu: cannot open", null)]
    public void Why_a_library_that_is_there_does_not_load_is_told(string message, string? expected) => Assert.Equal(expected, TorchLibrary.Reason(message));

    /// <summary>The loader would end the process with a bus error.</summary>
    [Fact]
    public void A_library_that_was_cut_short_is_told()
    {
        using var folder = new TempFolder();
        string whole = Directory.GetFiles(AppContext.BaseDirectory, "libLibTorchSharp.so", SearchOption.AllDirectories)[0], cut = Path.Combine(folder.Path, "libtorch_cpu.so");
        byte[] bytes = File.ReadAllBytes(whole);
        TorchLibrary.RequireWhole(whole);
        File.WriteAllBytes(cut, bytes[..(bytes.Length / 2)]);
        Assert.Contains("is cut short", Assert.Throws<TorchException>(() => TorchLibrary.RequireWhole(cut)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_CUDA_says_so()
    {
        string message = Assert.Throws<TorchException>(() => TorchDevice.OpenCuda(0)).Message;
        Assert.StartsWith("libtorch finds no CUDA: ", message, StringComparison.Ordinal);
    }
}
