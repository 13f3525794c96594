using QApollo.Devices;
using QApollo.Memory;
using QApollo.Quantization;

namespace QApollo.Models;

/// <summary>A parameter and the memory it lives in.</summary>
public sealed class Weight
{
    /// <summary>What the tensor of residual bits is called, after the parameter's name.</summary>
    public const string ResidualSuffix = "_residual";

    private readonly int _groupSize;
    private readonly ZeroPointRule _zeroPointRule;

    /// <summary>Declares the weight's tensors in the table.</summary>
    public Weight(TensorTable table, Parameter parameter, WeightFormats formats)
    {
        Parameter = parameter;
        WeightFormat format = parameter.IsVector ? WeightFormat.F32 : parameter.IsMatrix ? formats.Matrices : formats.EmbeddingAndHead;
        TensorCategory category =
            parameter.IsVector ? TensorCategory.Norms : parameter.IsMatrix ? TensorCategory.Codes : TensorCategory.EmbeddingAndHead;
        DType dtype = format switch { WeightFormat.Int8 => DType.U8, WeightFormat.BF16 => DType.BF16, _ => DType.F32 };
        Values = table.Persistent(parameter.Name, dtype, parameter.Rows, parameter.Columns, category);
        if (format == WeightFormat.Int8)
        {
            _groupSize = formats.GroupSize;
            _zeroPointRule = formats.ZeroPoints;
            int groups = WeightMatrix.GroupsPerRow(parameter.Columns, formats.GroupSize);
            TensorCategory scales = parameter.IsMatrix ? TensorCategory.Scales : category;
            Scales = table.Persistent(parameter.Name + "_scale", DType.BF16, parameter.Rows, groups, scales);
            ZeroPoints = table.Persistent(parameter.Name + "_zero", DType.U8, parameter.Rows, groups, scales);
            int bits = formats.ResidualBitsOf(parameter);
            Residuals = bits == 0 ? null : table.Persistent(
                parameter.Name + ResidualSuffix, DType.U8, parameter.Rows, WeightMatrix.ResidualBytesPerRow(parameter.Columns, bits), TensorCategory.Residuals);
        }
    }

    private Weight(Weight other) =>
        (Parameter, Values, Scales, ZeroPoints, Residuals, _groupSize, _zeroPointRule) =
        (other.Parameter, other.Values, other.Scales, other.ZeroPoints, other.Residuals, other._groupSize, other._zeroPointRule);

    public Parameter Parameter { get; }

    public PlannedTensor Values { get; }

    /// <summary>Null for a dense weight.</summary>
    public PlannedTensor? Scales { get; }

    /// <summary>Null for a dense weight.</summary>
    public PlannedTensor? ZeroPoints { get; }

    /// <summary>Null for a dense weight, and for one without residual bits.</summary>
    public PlannedTensor? Residuals { get; }

    /// <summary>Scratch that the layer's pass expands the weight into; null where the device multiplies from the stored form.</summary>
    public PlannedTensor? ForwardExpansion { get; internal set; }

    /// <summary>As <see cref="ForwardExpansion"/>, for the input gradient.</summary>
    public PlannedTensor? InputGradientExpansion { get; internal set; }

    /// <summary>The same memory, for products outside the pass that expands the weight.</summary>
    public Weight WithoutExpansions() => new(this);

    /// <summary>The weight as it is stored.</summary>
    public WeightMatrix Stored => Scales is null
        ? new WeightMatrix(Values)
        : new WeightMatrix(Values, Scales, ZeroPoints!, _groupSize) { Residuals = Residuals?.View ?? default, ZeroPointRule = _zeroPointRule };

    /// <summary>The weight with its expansions, for products within a layer's pass.</summary>
    public WeightMatrix Matrix => Stored with
    {
        ForwardExpansion = ForwardExpansion?.View ?? default,
        InputGradientExpansion = InputGradientExpansion?.View ?? default,
    };

    public static implicit operator WeightMatrix(Weight weight) => weight.Matrix;
}
