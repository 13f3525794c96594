using QApollo.Devices;
using QApollo.Memory;
using QApollo.Quantization;

namespace QApollo.Models;

/// <summary>A parameter and the memory it lives in.</summary>
public sealed class Weight
{
    /// <summary>What the tensor of residual bits is called, after the parameter's name.</summary>
    public const string ResidualSuffix = "_residual";

    /// <summary>What the tensor of scales is called, after the parameter's name.</summary>
    public const string ScaleSuffix = "_scale";

    /// <summary>What the tensor of zero points is called, after the parameter's name.</summary>
    public const string ZeroPointSuffix = "_zero";

    private readonly int _groupSize;
    private readonly Residence _residence;
    private readonly ZeroPointRule _zeroPointRule;

    /// <summary>Declares the weight's tensors in the table.</summary>
    /// <param name="layers">Where matrices live; everything else lives on the device.</param>
    public Weight(TensorTable table, Parameter parameter, WeightFormats formats, MemorySpace layers = MemorySpace.Device)
    {
        Parameter = parameter;
        WeightFormat format = parameter.IsVector ? WeightFormat.F32 : parameter.IsMatrix ? formats.Matrices : formats.EmbeddingAndHead;
        TensorCategory category =
            parameter.IsVector ? TensorCategory.Norms : parameter.IsMatrix ? TensorCategory.Codes : TensorCategory.EmbeddingAndHead;
        TensorCategory scales = parameter.IsMatrix ? TensorCategory.Scales : category;
        DType dtype = format switch { WeightFormat.Int8 => DType.U8, WeightFormat.BF16 => DType.BF16, _ => DType.F32 };
        MemorySpace space = parameter.IsMatrix ? layers : MemorySpace.Device;
        PlannedTensor Declare(string suffix, DType type, int columns, TensorCategory of) =>
            table.Persistent(parameter.Name + suffix, type, parameter.Rows, columns, of, space);
        PlannedTensor values = Declare(string.Empty, dtype, parameter.Columns, category);
        var home = new WeightTensors(values, null, null, null);
        if (format == WeightFormat.Int8)
        {
            _groupSize = formats.GroupSize;
            _zeroPointRule = formats.ZeroPoints;
            int groups = WeightMatrix.GroupsPerRow(parameter.Columns, formats.GroupSize);
            int bits = formats.ResidualBitsOf(parameter);
            home = new WeightTensors(
                values,
                Declare(ScaleSuffix, DType.BF16, groups, scales),
                Declare(ZeroPointSuffix, DType.U8, groups, scales),
                bits == 0 ? null : Declare(ResidualSuffix, DType.U8, WeightMatrix.ResidualBytesPerRow(parameter.Columns, bits), TensorCategory.Residuals));
        }

        _residence = new Residence(home) { OnDevice = space == MemorySpace.Device ? home : null };
    }

    private Weight(Weight other) =>
        (Parameter, _groupSize, _zeroPointRule, _residence) = (other.Parameter, other._groupSize, other._zeroPointRule, other._residence);

    /// <summary>What zero points its groups may have.</summary>
    public ZeroPointRule ZeroPointRule => _zeroPointRule;

    public Parameter Parameter { get; }

    /// <summary>Codes or dense values where they live: on the device, or in host memory with layers that wait there.</summary>
    public PlannedTensor Values => Home.Values;

    /// <summary>Null for a dense weight.</summary>
    public PlannedTensor? Scales => Home.Scales;

    /// <summary>Null for a dense weight.</summary>
    public PlannedTensor? ZeroPoints => Home.ZeroPoints;

    /// <summary>Null for a dense weight, and for one without residual bits.</summary>
    public PlannedTensor? Residuals => Home.Residuals;

    /// <summary>Values per INT8 group; 0 for a dense weight.</summary>
    public int GroupSize => _groupSize;

    /// <summary>0, 4 or 8.</summary>
    public int ResidualBits => Residuals is null ? 0 : Residuals.View.Columns == Values.View.Columns ? 8 : 4;

    /// <summary>Scratch that the layer's pass expands the weight into; null where the device multiplies from the stored form.</summary>
    public PlannedTensor? ForwardExpansion { get; internal set; }

    /// <summary>As <see cref="ForwardExpansion"/>, for the input gradient.</summary>
    public PlannedTensor? InputGradientExpansion { get; internal set; }

    /// <summary>The same memory, for products outside the pass that expands the weight.</summary>
    public Weight WithoutExpansions() => new(this);

    /// <summary>The weight as it is stored, on the device.</summary>
    /// <exception cref="InvalidOperationException">Its layer waits elsewhere; <see cref="ModelWeights.Store"/> brings it.</exception>
    public WeightMatrix Stored
    {
        get
        {
            WeightTensors tensors = _residence.OnDevice ?? throw new InvalidOperationException($"{Parameter.Name} is not on the device");
            return tensors.Scales is null
                ? new WeightMatrix(tensors.Values)
                : new WeightMatrix(tensors.Values, tensors.Scales, tensors.ZeroPoints!, _groupSize)
                {
                    Residuals = Home.Residuals is null ? default : tensors.Residuals!.View,
                    ZeroPointRule = _zeroPointRule,
                };
        }
    }

    /// <summary>The weight with its expansions, for products within a layer's pass.</summary>
    public WeightMatrix Matrix => Stored with
    {
        ForwardExpansion = ForwardExpansion?.View ?? default,
        InputGradientExpansion = InputGradientExpansion?.View ?? default,
    };

    /// <summary>Where the weight lives between its uses.</summary>
    internal WeightTensors Home => _residence.Home;

    public static implicit operator WeightMatrix(Weight weight) => weight.Matrix;

    /// <summary>Says where on the device the weight is now; null for nowhere.</summary>
    internal void MoveTo(WeightTensors? onDevice) => _residence.OnDevice = onDevice;

    /// <summary>Where a weight is; one for all views of it.</summary>
    private sealed class Residence(WeightTensors home)
    {
        public WeightTensors Home { get; } = home;

        public WeightTensors? OnDevice { get; set; }
    }
}
