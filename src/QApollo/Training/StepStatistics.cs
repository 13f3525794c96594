using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>
/// What a step leaves behind for the host, in one tensor that is read once: the loss, and per parameter the sum of
/// squares of its gradient and the number of stored values that changed.
/// </summary>
public sealed class StepStatistics
{
    private readonly PlannedTensor _tensor;
    private readonly float[] _host;
    private readonly int _parameters;

    public StepStatistics(TensorTable table, int parameters)
    {
        _parameters = parameters;
        _host = new float[1 + (2 * parameters)];
        _tensor = table.Persistent("step.statistics", DType.F32, 1, _host.Length, TensorCategory.Staging);
    }

    /// <summary>[1, 1] F32: sum of the losses of all counted tokens.</summary>
    public Tensor LossSum => _tensor.View.ElementRange(0, 1);

    /// <summary>[1, 1] F32.</summary>
    public Tensor GradientSquares(int parameter) => _tensor.View.ElementRange(1 + parameter, 1);

    /// <summary>[1, 1] I32.</summary>
    public Tensor Changed(int parameter) => _tensor.View.ElementRange(1 + _parameters + parameter, 1) with { DType = DType.I32 };

    public void Zero(IDevice device) => device.Zero(_tensor);

    /// <summary>Waits for the step and reads its statistics; the values below are those of the last read.</summary>
    public void Read(IDevice device) => device.Download(_tensor, MemoryMarshal.AsBytes(_host.AsSpan()));

    public float LossSumValue => _host[0];

    /// <summary>Sum of squares per parameter, in the order of the parameter table.</summary>
    public ReadOnlySpan<float> GradientSquaresValues => _host.AsSpan(1, _parameters);

    /// <summary>Changed values per parameter, in the order of the parameter table.</summary>
    public ReadOnlySpan<int> ChangedValues => MemoryMarshal.Cast<float, int>(_host.AsSpan(1 + _parameters, _parameters));
}
