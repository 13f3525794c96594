using System.Text.RegularExpressions;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Optimizers;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Cuda.Tests.Training;

/// <summary>A run has the driver compile what it launches: its head size, its dtypes, its optimizer, and nothing else.</summary>
public partial class LoadedKernelsSimtTests
{
    /// <summary>LLaMA-7B in all but its size: long rows, heads of 128, INT8 layers, embedding and head in BF16, attention within documents.</summary>
    private static TrainingOptions Options => new ParityCourse(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32).Options with
    {
        Model = new LlamaConfig
        {
            HiddenSize = 640,
            IntermediateSize = 256,
            NumHiddenLayers = 1,
            NumAttentionHeads = 1,
            NumKeyValueHeads = 1,
            HeadDim = 128,
            VocabSize = 160,
            MaxPositionEmbeddings = 64,
            TieWordEmbeddings = false,
        },
        Shape = new StepShape(1, 16, 1),
        DocumentEnd = 0,
    };

    [Fact]
    public void A_run_loads_the_kernels_of_its_plan()
    {
        using CudaDevice device = SimtLibrary.Default.Open();
        using (var trainer = new Trainer(Options, device))
        {
            TinyTraining.Step(trainer, 0);
            TinyTraining.Step(trainer, 1);
        }

        string document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "kernels-first-start.md"));
        string listed = document.Split("<!-- kernels -->")[1].Split("<!-- end of kernels -->")[0];
        Assert.Equal(WithoutTiles(listed.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), WithoutTiles(device.LoadedKernels));
    }

    /// <summary>Products take tiles of 64 or 128, by the number of processors.</summary>
    private static IEnumerable<string> WithoutTiles(IEnumerable<string> kernels) =>
        kernels.Select(name => TilePattern().Replace(name, "$1")).Distinct().Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^(linear_\w+)_(64|128)$")]
    private static partial Regex TilePattern();
}
