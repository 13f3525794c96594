namespace QApollo.Models;

/// <summary>How a weight is stored. There is never a second, finer copy.</summary>
public enum WeightFormat
{
    /// <summary>INT8 groups: codes, BF16 scales, U8 zero points.</summary>
    Int8 = 0,

    BF16 = 1,

    F32 = 2,
}

/// <summary>Storage of a model's weights. Norms and biases are always F32.</summary>
/// <param name="Matrices">Attention and MLP matrices.</param>
/// <param name="EmbeddingAndHead">Token embedding and head.</param>
/// <param name="GroupSize">Values per INT8 group: 32, 64, 128 or 256.</param>
public sealed record WeightFormats(
    WeightFormat Matrices = WeightFormat.Int8, WeightFormat EmbeddingAndHead = WeightFormat.BF16, int GroupSize = 128);
