using QApollo.Quantization;

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
/// <param name="ResidualBits">Low bits beside the codes of INT8 matrices, which updates read and write and products do not: 0, 4 or 8.</param>
/// <param name="ResidualLayers">Layers whose matrices have them, from the first on; <see cref="AllLayers"/> for all.</param>
/// <param name="ZeroPoints">Grids of INT8 groups.</param>
public sealed record WeightFormats(
    WeightFormat Matrices = WeightFormat.Int8, WeightFormat EmbeddingAndHead = WeightFormat.BF16, int GroupSize = 128,
    int ResidualBits = 0, int ResidualLayers = WeightFormats.AllLayers, ZeroPointRule ZeroPoints = ZeroPointRule.Asymmetric)
{
    public const int AllLayers = int.MaxValue;

    /// <summary>Residual bits of a parameter: 0 for all but INT8 matrices.</summary>
    public int ResidualBitsOf(Parameter parameter) =>
        parameter.IsMatrix && Matrices == WeightFormat.Int8 && parameter.Layer < ResidualLayers ? ResidualBits : 0;

    /// <summary>How many of a model's layers have residual bits.</summary>
    public int LayersWithResiduals(LlamaConfig model) =>
        ResidualBits == 0 || Matrices != WeightFormat.Int8 ? 0 : Math.Min(ResidualLayers, model.NumHiddenLayers);

    /// <exception cref="UsageException">Residual bits that the formats or the model's sizes do not allow.</exception>
    public void Validate(LlamaConfig model)
    {
        if (ResidualBits is not (0 or 4 or 8))
        {
            throw new UsageException($"--residual-bits: {ResidualBits} is not 0, 4 or 8");
        }

        if (ResidualBits != 0 && Matrices != WeightFormat.Int8)
        {
            throw new UsageException($"--residual-bits {ResidualBits} needs --weights int8: dense weights have no codes that bits could stand beside");
        }

        foreach (Parameter parameter in ParameterTable.Of(model))
        {
            if (ResidualBitsOf(parameter) == 4 && parameter.Columns % 2 != 0)
            {
                throw new UsageException(
                    $"--residual-bits 4 needs an even number of columns, but {parameter.Name} has {parameter.Columns}: use --residual-bits 8 or 0");
            }
        }
    }
}
