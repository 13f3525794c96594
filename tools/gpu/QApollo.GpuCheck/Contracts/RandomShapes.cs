using System.Reflection;
using QApollo.Devices;
using QApollo.TestSupport.Contract;

namespace QApollo.GpuCheck.Contracts;

/// <summary>Random arguments for the theories that take shapes. The same seed draws the same ones.</summary>
/// <param name="largest">Of a dimension.</param>
internal sealed class RandomShapes(int seed, int largest)
{
    /// <summary>Head sizes of the presets, and others that kernels must pad.</summary>
    private static readonly int[] HeadSizes = [6, 16, 24, 32, 48, 64, 80, 96, 112, 128];

    /// <summary>Products and look-ups read codes alone, and 4 residual bits need even columns: both have contracts of their own.</summary>
    private static readonly WeightForm[] Forms = [.. WeightFormExtensions.OfProducts];

    private static readonly Dictionary<string, Func<RandomShapes, object?[]>> Draws = new()
    {
        [nameof(LinearContract.Forward_is_input_times_transposed_weight_plus_addend)] = r => [r.Size(), r.Size(), r.Size(), r.Form(), false],
        [nameof(LinearContract.Input_gradient_is_output_gradient_times_weight)] = r => [r.Size(), r.Size(), r.Size(), r.Form(), false],
        [nameof(LinearContract.Weight_gradient_is_transposed_output_gradient_times_input)] = r => [r.Size(), r.Size(), r.Size()],
        [nameof(AttentionContract.Forward_is_softmax_attention)] = r => r.Attention(cached: true),
        [nameof(AttentionContract) + "." + nameof(AttentionContract.Backward_is_the_gradient)] = r => r.Attention(cached: false),
        [nameof(AttentionContract.Within_documents_it_is_block_diagonal)] = r => r.Documents(),
        [nameof(NormContract.Forward_scales_rows_to_unit_mean_square)] = r => [r.Size(), r.Size()],
        [nameof(NormContract) + "." + nameof(NormContract.Backward_is_the_gradient)] = r => [r.Size(), r.Size()],
        [nameof(BiasContract.Bias_is_added_to_every_row)] = r => [r.Size(), r.Size()],
        [nameof(BiasContract.Gradient_of_a_bias_is_the_sum_over_rows)] = r => [r.Size(), r.Size()],
        [nameof(SwiGluContract.Forward_gates)] = r => [r.Size(), r.Size()],
        [nameof(SwiGluContract) + "." + nameof(SwiGluContract.Backward_is_the_gradient)] = r => [r.Size(), r.Size()],
        [nameof(RotaryContract.Rotates_each_head_by_its_position)] = r => [r.Few(3), r.Size(), r.Few(4), r.HeadSize(), r.Few(50) - 1],
        [nameof(RotaryContract.Positions_count_from_the_document_start)] = r => [r.Few(3), r.Size(), r.Few(4), r.HeadSize(), r.Cut()],
        [nameof(CrossEntropyContract.Losses_and_gradient)] = r => [r.Few(40), r.Size() * r.Few(40), (double)r.Few(10)],
        [nameof(EmbeddingContract.Forward_copies_rows)] = r => [r.Size(), r.Size(), r.Size(), r.Form()],
        [nameof(EmbeddingContract.Backward_adds_rows_of_the_same_token)] = r => r.EmbeddingRows(),
        [nameof(QuantizeContract.Groups_are_built_as_the_grid_says)] = r => [r.Few(64), r.Size(), r.Form()],
        [nameof(RowCodeContract.Codes_and_scales_are_those_of_the_rule)] = r => [r.Few(64), r.Size(), (long)r.Size() * r.Size()],
        [nameof(RowCodeContract.Values_come_back_as_code_times_scale)] = r => [r.Few(64), r.Size()],
        [nameof(ApolloContract.Projection_and_channel_squares)] = r => r.Projection(),
        [nameof(ApolloContract.Scaling_follows_the_algorithm)] = r => [r.Size(), r.Few(16), r.Coin(), r.Coin(), r.Coin(), r.Correction()],
        [nameof(AdamContract.Direction_and_moments)] = r => [r.Size(), r.Size(), r.Single(), r.Correction()],
        [nameof(AdamContract.Eight_bit_moments_are_the_nearest_entries_of_the_map)] = r => [r.Few(64), r.Size(), r.Single(), r.Correction()],
        [nameof(NormalizationContract.Squares_are_summed_over_rows_or_columns)] = r => [r.Size(), r.Size()],
        [nameof(NormalizationContract.Rows_are_scaled)] = r => [r.Size(), r.Size()],
        [nameof(NormalizationContract.Vectors_are_divided_by_the_sum_of_squares)] = r => [r.Size(), r.Size()],
        [nameof(NormalizationContract.Averages_pass_over_what_is_not_finite)] = r => [r.Size(), r.Size()],
        [nameof(ReductionContract.Sums_are_added_to_the_total)] = r => [r.Size() * r.Size()],
        [nameof(ReductionContract.Sums_of_squares_are_added_to_the_total)] = r => [r.Size(), r.Size()],
        [nameof(NormalContract.Values_are_the_box_muller_transform_of_the_stream)] = r => [r.Size() * r.Few(40), 4L * r.Size()],
        [nameof(MemoryContract.Copies_convert_between_binary32_and_bfloat16)] = r => [r.Size(), r.Size()],
    };

    private readonly Random _random = new(seed);

    public static bool Has(MethodInfo method) => Find(method) is not null;

    public object?[] Draw(MethodInfo method) => Find(method)!(this);

    private static Func<RandomShapes, object?[]>? Find(MethodInfo method) =>
        Draws.GetValueOrDefault(method.Name) ?? Draws.GetValueOrDefault($"{method.DeclaringType!.Name}.{method.Name}");

    /// <summary>1 .. largest, each order of magnitude as likely.</summary>
    private int Size() => Math.Min(largest, (int)Math.Exp(_random.NextDouble() * Math.Log(largest + 1)));

    private int Few(int most) => 1 + _random.Next(most);

    private bool Coin() => _random.Next(2) == 1;

    private int HeadSize() => HeadSizes[_random.Next(HeadSizes.Length)];

    private WeightForm Form() => Forms[_random.Next(Forms.Length)];

    private DType Single() => Coin() ? DType.F32 : DType.BF16;

    private BiasCorrection Correction() => Coin() ? BiasCorrection.StepSize : BiasCorrection.Direction;

    private object?[] Attention(bool cached)
    {
        int keyHeads = Few(3), queries = Math.Min(300, Size());
        return [Few(3), queries, cached ? queries + Few(100) - 1 : queries, keyHeads * Few(4), keyHeads, HeadSize()];
    }

    private object?[] Documents()
    {
        int keyHeads = Few(3);
        return [Few(3), Math.Min(300, Size()), keyHeads * Few(4), keyHeads, HeadSize(), Cut()];
    }

    private DocumentCut Cut() => (DocumentCut)_random.Next(Enum.GetValues<DocumentCut>().Length);

    private object?[] EmbeddingRows()
    {
        int vocabulary = Size();
        int first = _random.Next(vocabulary);
        return [vocabulary, Size(), Size(), first, 1 + _random.Next(vocabulary - first)];
    }

    private object?[] Projection()
    {
        int m = Size(), n = Size();
        return [m, n, 1 + _random.Next(Math.Min(16, Math.Min(m, n)))];
    }
}
