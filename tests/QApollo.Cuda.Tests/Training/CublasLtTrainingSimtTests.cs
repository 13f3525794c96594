using QApollo.Cpu;
using QApollo.Cuda.Driver;
using QApollo.Cuda.Tests.Blas;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>Training with cuBLASLt: who is chosen, what it leaves, and that its memory is planned.</summary>
public sealed class CublasLtTrainingSimtTests
{
    private const int Steps = 4;

    /// <summary>The library wins every product, and none.</summary>
    private const double Fast = 0;
    private const double Slow = 1e6;

    private readonly SimtCopy _simt = SimtCopy.Of<CublasLtTrainingSimtTests>();

    [Theory]
    [InlineData(1, OptimizerKind.ApolloMini)]
    [InlineData(3, OptimizerKind.AdamW)]
    public void Training_follows_the_course_of_the_cpu(int gradAccum, OptimizerKind optimizer)
    {
        TrainingOptions options = Options(gradAccum, optimizer);
        using var cpu = new CpuDevice(threads: 2);
        using CudaDevice simt = Open(GemmChoice.CublasLt);
        using var expected = new Trainer(options, cpu);
        using var actual = new Trainer(options, simt);
        int before = _simt.Library.CublasLt().Products;
        for (int step = 0; step < Steps; step++)
        {
            StepResult onCpu = TinyTraining.Step(expected, step);
            StepResult onSimt = TinyTraining.Step(actual, step);
            Assert.InRange(onSimt.Loss, onCpu.Loss * (1 - (1.0 / 512)), onCpu.Loss * (1 + (1.0 / 512)));
            Assert.InRange(onSimt.GradientNorm, onCpu.GradientNorm * 0.98, onCpu.GradientNorm * 1.02);
        }

        Assert.NotEqual(before, _simt.Library.CublasLt().Products);
        Assert.Empty(actual.UnmovedParameters!);
    }

    [Fact]
    public void The_faster_one_is_chosen()
    {
        IReadOnlyList<ProductShape> products = new TrainingLayout(Options(2), new CudaProfile(usesCublasLt: true)).Plan.Products;
        Assert.Equal(products.Order(Comparer), Chosen(Fast).Order(Comparer));
        Assert.Empty(Chosen(Slow));
        Assert.InRange(Chosen(8).Count, 1, products.Count - 1);
    }

    /// <summary>With one micro-batch the codes are read as they are: nothing is expanded, and dense products alone are measured.</summary>
    [Fact]
    public void With_one_micro_batch_only_dense_products_are_measured()
    {
        _simt.Library.SetProductCost(Fast);
        using CudaDevice device = Open(GemmChoice.Auto);
        using var trainer = new Trainer(Options(1), device);
        Assert.NotEmpty(device.ProductTimes);
        Assert.DoesNotContain(device.ProductTimes, time => time.Product.IsQuantized);
    }

    [Fact]
    public void Measuring_leaves_no_trace_in_the_run()
    {
        byte[] own = Train(Options(2), Open(GemmChoice.Own));
        _simt.Library.SetProductCost(Slow);
        byte[] measured = Train(Options(2), Open(GemmChoice.Auto));
        Compare.BitEqual<byte>(measured, own, "own kernels, chosen after a measurement");
    }

    [Fact]
    public void What_was_chosen_can_be_given_to_another_run_for_the_same_bytes()
    {
        TrainingOptions options = Options(2);
        _simt.Library.SetProductCost(8);
        CudaDevice first = Open(GemmChoice.Auto);
        byte[] expected = Train(options, first, out IReadOnlyList<ProductShape> chosen);
        _simt.Library.SetProductCost(Slow);
        CudaOptions again = CublasLtOptions.Of(_simt.Path) with { ProductsByCublasLt = [.. chosen.Select(Reparse)] };
        byte[] actual = Train(options, _simt.Library.Open(again));
        Compare.BitEqual<byte>(actual, expected, "the second run");
        Assert.NotEmpty(chosen);

        byte[] own = Train(options, Open(GemmChoice.Own));
        Assert.NotEqual(expected, own);
    }

    [Fact]
    public void Graphs_hold_its_products()
    {
        TrainingOptions options = Options(2);
        byte[] expected = Train(options, _simt.Library.Open(CublasLtOptions.Of(_simt.Path, GemmChoice.CublasLt) with { UseGraphs = false }));
        (_, int before, _) = _simt.Library.Counts();
        byte[] actual = Train(options, Open(GemmChoice.CublasLt));
        Compare.BitEqual<byte>(actual, expected, "with graphs");
        Assert.InRange(_simt.Library.Counts().GraphLaunches - before, (Steps - 1) * 4, Steps * 4);
    }

    [Fact]
    public void What_it_needs_is_in_the_plan_and_can_be_given_up()
    {
        TrainingOptions options = Options(2);
        using CudaDevice device = Open(GemmChoice.CublasLt);
        using var trainer = new Trainer(options, device);
        long free = device.MemoryInfo().Free;
        using (var second = new Trainer(options, device))
        {
            Assert.Equal(second.Plan.DeviceArenaBytes, free - device.MemoryInfo().Free);
        }

        long layer = trainer.Layout.Weights.Layers[0].Matrices.Sum(matrix => 2L * matrix.Parameter.Elements);
        long expanded = trainer.Plan.Table.Tensors.Where(tensor => tensor.Name.StartsWith("expanded.", StringComparison.Ordinal)).Sum(tensor => tensor.Bytes);
        Assert.Equal(layer, expanded);
        TrainingOptions without = options with { Memory = options.Memory with { ExpandWeights = false } };
        var smaller = new TrainingLayout(without, device.Profile);
        Assert.DoesNotContain(smaller.Plan.Products, product => product.IsQuantized);
        Assert.InRange(smaller.Plan.DeviceArenaBytes, 1, trainer.Plan.DeviceArenaBytes - 1);
    }

    [Fact]
    public void Steps_allocate_nothing_on_the_managed_heap()
    {
        TrainingOptions options = Options(2);
        _simt.Library.SetProductCost(8);
        using CudaDevice device = Open(GemmChoice.Auto);
        using var trainer = new Trainer(options, device);
        (int[] tokens, int[] labels) = ParityCourse.Batch(options, 0);
        for (int warm = 0; warm < 4; warm++)
        {
            trainer.Step(tokens, labels);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        trainer.Step(tokens, labels);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void An_absent_library_is_an_error_only_where_it_is_needed()
    {
        CudaOptions needed = CublasLtOptions.Of("/nowhere/libcublasLt.so", GemmChoice.CublasLt);
        var exception = Assert.Throws<CudaException>(() => _simt.Library.Open(needed));
        Assert.Equal("/nowhere/libcublasLt.so could not be loaded as cuBLASLt", exception.Message);
        using CudaDevice own = _simt.Library.Open(needed with { Gemm = GemmChoice.Own });
        Assert.Null(own.CublasLt);
        Assert.Equal(0, own.Profile.ExpandedWeightBytes(64, 64, WeightUse.Forward));
    }

    [Fact]
    public void Nothing_is_left_behind()
    {
        _simt.Library.SetProductCost(8);
        Train(Options(2), Open(GemmChoice.Auto));
        Assert.Equal((0, 0), (_simt.Library.LiveObjects(), _simt.Library.CublasLt().Handles));
    }

    private static Comparer<ProductShape> Comparer { get; } =
        Comparer<ProductShape>.Create((one, other) => string.CompareOrdinal(one.ToString(), other.ToString()));

    /// <summary>Sizes that are multiples of 8, which is what cuBLASLt is asked for.</summary>
    private static TrainingOptions Options(int gradAccum, OptimizerKind optimizer = OptimizerKind.ApolloMini)
    {
        TrainingOptions options = TinyTraining.Options(optimizer, gradAccum, MemorySpace.Device);
        return options with { Model = options.Model with { IntermediateSize = 96, VocabSize = 136 } };
    }

    private static ProductShape Reparse(ProductShape product)
    {
        Assert.True(ProductShape.TryParse(product.ToString(), out ProductShape parsed));
        return parsed;
    }

    private CudaDevice Open(GemmChoice gemm) => _simt.Library.Open(CublasLtOptions.Of(_simt.Path, gemm));

    private IReadOnlyList<ProductShape> Chosen(double cost)
    {
        _simt.Library.SetProductCost(cost);
        using CudaDevice device = Open(GemmChoice.Auto);
        using var trainer = new Trainer(Options(2), device);
        Assert.Equal(device.ProductTimes.Where(time => time.IsByLibrary).Select(time => time.Product), device.ProductsByCublasLt);
        return device.ProductsByCublasLt;
    }

    private static byte[] Train(TrainingOptions options, CudaDevice device) => Train(options, device, out _);

    private static byte[] Train(TrainingOptions options, CudaDevice device, out IReadOnlyList<ProductShape> chosen)
    {
        using (device)
        {
            using var trainer = new Trainer(options, device);
            for (int step = 0; step < Steps; step++)
            {
                TinyTraining.Step(trainer, step);
            }

            chosen = device.ProductsByCublasLt;
            return TinyTraining.State(trainer);
        }
    }
}
