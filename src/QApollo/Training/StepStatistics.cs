using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Training;

/// <summary>
/// What a step leaves behind for the host, in one tensor that is read once: the loss, and per parameter the sum of
/// squares of its gradient and the counts of its update.
/// </summary>
public sealed class StepStatistics
{
    private const int FloatsPerWord = sizeof(long) / sizeof(float);

    private readonly PlannedTensor _tensor;
    private readonly long[] _host;
    private readonly int _parameters;
    private readonly int _floatWords;

    public StepStatistics(TensorTable table, int parameters)
    {
        _parameters = parameters;
        _floatWords = (1 + parameters + FloatsPerWord - 1) / FloatsPerWord;
        _host = new long[_floatWords + (parameters * UpdateCounts.Length)];
        _tensor = table.Persistent("step.statistics", DType.I64, 1, _host.Length, TensorCategory.Staging);
    }

    /// <summary>[1, 1] F32: sum of the losses of all counted tokens.</summary>
    public Tensor LossSum => Floats.ElementRange(0, 1);

    /// <summary>[1, 1] F32.</summary>
    public Tensor GradientSquares(int parameter) => Floats.ElementRange(1 + parameter, 1);

    /// <summary>[1, <see cref="UpdateCounts.Length"/>] I64.</summary>
    public Tensor Counts(int parameter) =>
        _tensor.View.ElementRange(_floatWords + ((long)parameter * UpdateCounts.Length), UpdateCounts.Length);

    public void Zero(IDevice device) => device.Zero(_tensor);

    /// <summary>Waits for the step and reads its statistics; the values below are those of the last read.</summary>
    public void Read(IDevice device) => device.Download(_tensor, MemoryMarshal.AsBytes(_host.AsSpan()));

    public float LossSumValue => HostFloats[0];

    /// <summary>Sum of squares per parameter, in the order of the parameter table.</summary>
    public ReadOnlySpan<float> GradientSquaresValues => HostFloats.Slice(1, _parameters);

    /// <summary>A count of a parameter's update.</summary>
    public long CountValue(int parameter, UpdateCount count) => _host[_floatWords + (parameter * UpdateCounts.Length) + (int)count];

    private Tensor Floats => _tensor.View.ElementRange(0, _floatWords) with { DType = DType.F32, Columns = _floatWords * FloatsPerWord };

    private ReadOnlySpan<float> HostFloats => MemoryMarshal.Cast<long, float>(_host.AsSpan(0, _floatWords));
}
