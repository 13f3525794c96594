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
public partial class LoadedKernelsTests
{
    /// <summary>Those of docs/kernels-first-start.md. Products take tiles of 64 or 128, by the number of processors.</summary>
    private static readonly string[] Expected =
    [
        "adam_f32", "add_partials", "apollo_coefficients", "apollo_columns_vector_f32", "apollo_moments_thread", "apollo_rows_f32", "apollo_sum_chunks", "apollo_total",
        "attention_backward_kv_128", "attention_backward_q_128", "attention_delta", "attention_forward_128", "convert_f32_bf16", "cross_entropy_backward",
        "cross_entropy_forward", "embedding_backward_f32", "embedding_forward_bf16", "fill_f32", "linear_forward_bf16", "linear_forward_i8",
        "linear_input_gradient_bf16", "linear_input_gradient_i8", "linear_weight_gradient_f32", "normal_f32", "quantize", "rmsnorm_backward", "rmsnorm_forward",
        "rmsnorm_weight_gradient", "rotary_vector", "sum_f32", "swiglu_backward", "swiglu_forward", "update_codes_f32", "update_dense_bf16_f32",
        "update_dense_f32_f32",
    ];

    /// <summary>LLaMA-7B in all but its size: heads of 128, INT8 layers, embedding and head in BF16.</summary>
    private static TrainingOptions Options => new ParityCourse(OptimizerKind.ApolloMini, 1, MemorySpace.Device, DType.F32).Options with
    {
        Model = new LlamaConfig
        {
            HiddenSize = 128,
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

        Assert.Equal(Expected, device.LoadedKernels.Select(name => TilePattern().Replace(name, "$1")).Distinct().Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"^(linear_\w+)_(64|128)$")]
    private static partial Regex TilePattern();
}
