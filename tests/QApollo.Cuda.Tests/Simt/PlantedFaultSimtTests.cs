using System.Diagnostics;
using QApollo.Cuda.Driver;
using QApollo.Devices;
using QApollo.TestSupport.Contract;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.Cuda.Tests.Simt;

/// <summary>The emulator and the oracles notice the faults that kernels typically have: each is planted in a copy of the sources.</summary>
public sealed class PlantedFaultSimtTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("simt-fault-");

    [Fact]
    public void A_missing_barrier_changes_results_with_the_order_of_threads()
    {
        SimtLibrary faulty = Build("rmsnorm", "device.h", "    if (lane == 0) partial[warp] = value;\n    __syncthreads();\n", "    if (lane == 0) partial[warp] = value;\n");
        SimtLibrary healthy = SimtLibrary.Default;
        Assert.Equal(3, CorrectNorms(healthy));
        Assert.InRange(CorrectNorms(faulty), 0, 2);
    }

    [Fact]
    public void A_barrier_that_some_threads_miss_is_reported()
    {
        SimtLibrary faulty = Build(
            "rmsnorm", "device.h", "    if (lane == 0) partial[warp] = value;\n    __syncthreads();\n",
            "    if (lane == 0) { partial[warp] = value; __syncthreads(); }\n");
        using CudaDevice device = faulty.Open();
        var exception = Assert.Throws<CudaException>(() => Norm(device));
        Assert.Contains("launching rmsnorm_forward failed", exception.Message, StringComparison.Ordinal);
        Assert.Contains("deadlock: of 256 threads", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lanes_that_disagree_about_who_takes_part_are_reported()
    {
        SimtLibrary faulty = Build(
            "rmsnorm", "device.h", "__shfl_xor_sync(AllLanes, value, flip)", "__shfl_xor_sync(threadIdx.x & 1 ? AllLanes : 0x7fffffffu, value, flip)");
        using CudaDevice device = faulty.Open();
        var exception = Assert.Throws<CudaException>(() => Norm(device));
        Assert.Contains("lanes of one warp give different masks", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Shared_memory_that_is_not_initialized_shows_as_NaN()
    {
        SimtLibrary faulty = Build("rmsnorm", "rmsnorm.cu", "weight_sums[at] = 0;", "{ }");
        Assert.All(WeightGradient(SimtLibrary.Default), value => Assert.True(float.IsFinite(value)));
        Assert.All(WeightGradient(faulty), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void A_grid_that_is_kept_a_step_too_long_is_caught_by_the_oracle()
    {
        SimtLibrary faulty = Build("linear_forward", "codes_operand.h", "left = steps;", "left = steps + 1;");
        Assert.True(ProductsMatch(SimtLibrary.Default));
        Assert.False(ProductsMatch(faulty));
    }

    [Fact]
    public void An_asynchronous_copy_that_nobody_waits_for_is_reported()
    {
        SimtLibrary faulty = Build("linear_forward", "gemm.h", "async_wait<0>();", "");
        var exception = Assert.Throws<CudaException>(() => ProductsMatch(faulty));
        Assert.Contains("asynchronous copies that were not waited for", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wait_for_the_wrong_stage_reads_poison()
    {
        SimtLibrary faulty = Build("linear_forward", "gemm.h", "async_wait<Stages - 2>();", "async_wait<Stages - 1>();");
        Assert.False(ProductsMatch(faulty));
    }

    [Fact]
    public void A_kernel_that_writes_beyond_its_tensor_is_told()
    {
        SimtLibrary faulty = Build("swiglu", "swiglu.cu", "return n - first >= 8 ? 8 : int(n - first);", "return 8;");
        Gate(SimtLibrary.Default);
        var exception = Assert.Throws<InvalidOperationException>(() => Gate(faulty));
        Assert.StartsWith("an operation wrote behind BF16[3, 17], the 3. tensor: bytes ", exception.Message, StringComparison.Ordinal);

        static void Gate(SimtLibrary library)
        {
            // 51 elements: a last thread with 3 of 8.
            using CudaDevice device = library.Open();
            using var memory = new DeviceMemory(device, 1 << 20);
            Tensor gate = memory.Activation(new Samples(1).Normals(51), 3, 17).Tensor;
            Tensor up = memory.Activation(new Samples(2).Normals(51), 3, 17).Tensor;
            Tensor output = memory.Activation(3, 17);
            device.SwiGluForward(gate, up, output);
            Assert.All(memory.Floats(output), value => Assert.True(float.IsFinite(value)));
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>A library of one kernel file, built from a copy of the sources with one text replaced.</summary>
    private SimtLibrary Build(string module, string file, string healthy, string faulty)
    {
        DirectoryInfo kernels = _folder.CreateSubdirectory(Guid.NewGuid().ToString("N"));
        foreach (string source in Directory.EnumerateFiles(Repository.Kernels, "*.h").Append(Path.Combine(Repository.Kernels, module + ".cu")))
        {
            string text = File.ReadAllText(source);
            if (Path.GetFileName(source) == file)
            {
                Assert.Contains(healthy, text, StringComparison.Ordinal);
                text = text.Replace(healthy, faulty, StringComparison.Ordinal);
            }

            File.WriteAllText(Path.Combine(kernels.FullName, Path.GetFileName(source)), text);
        }

        string library = Path.Combine(kernels.FullName, "libsimt.so");
        using var build = Process.Start("sh", [Path.Combine(Repository.Root, "tests", "QApollo.Simt", "build.sh"), kernels.FullName, library]);
        build.WaitForExit();
        Assert.Equal(0, build.ExitCode);
        return new SimtLibrary(library);
    }

    /// <summary>In how many of the three orders the norm is right.</summary>
    private static int CorrectNorms(SimtLibrary library)
    {
        using CudaDevice device = library.Open();
        int correct = 0;
        foreach (RunOrder order in Enum.GetValues<RunOrder>())
        {
            library.SetOrder(order);
            var (actual, expected) = Norm(device);
            correct += actual.Zip(expected).All(pair => Math.Abs(pair.First - pair.Second) < 1e-5 * pair.Second) ? 1 : 0;
        }

        library.SetOrder(RunOrder.Ascending);
        return correct;
    }

    private static (float[] Actual, double[] Expected) Norm(CudaDevice device)
    {
        const int Rows = 4, Columns = 2048;
        using var memory = new DeviceMemory(device, 1 << 20);
        Operand x = memory.Activation(new Samples(1).Normals(Rows * Columns), Rows, Columns);
        Operand weight = memory.Upload(new Samples(2).Normals(Columns), DType.F32, 1, Columns);
        Tensor inverse = memory.Zeros(DType.F32, 1, Rows);
        device.RmsNormForward(x.Tensor, weight.Tensor, 1e-6f, memory.Activation(Rows, Columns), inverse);
        return (memory.Floats(inverse), RmsNormOracle.Forward(x.Values, weight.Values, 1e-6f, Rows).InverseRms);
    }

    private static float[] WeightGradient(SimtLibrary library)
    {
        const int Rows = 4, Columns = 1024;
        using CudaDevice device = library.Open();
        using var memory = new DeviceMemory(device, 1 << 20);
        Operand x = memory.Activation(new Samples(1).Normals(Rows * Columns), Rows, Columns);
        Operand weight = memory.Upload(new Samples(2).Normals(Columns), DType.F32, 1, Columns);
        Operand inverse = memory.Upload([1, 1, 1, 1], DType.F32, 1, Rows);
        Tensor gradient = memory.Zeros(DType.F32, 1, Columns);
        device.RmsNormBackward(x.Tensor, x.Tensor, weight.Tensor, inverse.Tensor, memory.Activation(Rows, Columns), false, gradient, false);
        return memory.Floats(gradient);
    }

    private static bool ProductsMatch(SimtLibrary library)
    {
        const int Tokens = 16, In = 256, Out = 64;
        using CudaDevice device = library.Open();
        using var memory = new DeviceMemory(device, 4 << 20);
        Operand x = memory.Activation(new Samples(1).Normals(Tokens * In), Tokens, In);
        WeightMatrix weight = Codes(memory, Out, In);
        Tensor y = memory.Activation(Tokens, Out);
        device.LinearForward(x.Tensor, weight, y);
        double[] expected = LinearOracle.Forward(x.Values, memory.Values(weight), Tokens, In, Out);
        return memory.Floats(y).Zip(expected).All(pair => Math.Abs(pair.First - pair.Second) <= 0.012 * (16 + Math.Abs(pair.Second)));
    }

    /// <summary>Random groups, made on the host: the library under test may have no quantization.</summary>
    private static WeightMatrix Codes(DeviceMemory memory, int rows, int columns)
    {
        var samples = new Samples(3);
        int groups = columns / 32;
        byte[] Bytes(int count) => Array.ConvertAll(samples.Integers(count, 0, 256), v => (byte)v);
        return new WeightMatrix(
            memory.Upload(Bytes(rows * columns), rows, columns), memory.Upload(samples.Uniform(rows * groups, 0.001, 0.02), DType.BF16, rows, groups).Tensor,
            memory.Upload(Bytes(rows * groups), rows, groups), 32);
    }
}
