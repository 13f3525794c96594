using QApollo.Devices;
using QApollo.Models;

namespace QApollo.Quality;

/// <summary>The matrices of a model as one rule stores them, in memory of their own.</summary>
internal sealed class StoredCopy : IDisposable
{
    private readonly IDevice _device;
    private readonly nint _memory;
    private readonly Dictionary<int, WeightMatrix> _matrices = [];

    /// <param name="matrices">Whose values the copy begins with.</param>
    public StoredCopy(IDevice device, StorageRule rule, IReadOnlyList<Weight> matrices)
    {
        _device = device;
        Rule = rule;
        long bytes = 0;
        foreach (Weight weight in matrices)
        {
            _ = Lay(weight.Parameter, 0, ref bytes);
        }

        _memory = device.Allocate(MemorySpace.Device, bytes);
        long offset = 0;
        foreach (Weight weight in matrices)
        {
            WeightMatrix matrix = Lay(weight.Parameter, _memory, ref offset);
            device.Quantize(weight.Values, matrix);
            _matrices.Add(weight.Parameter.Index, matrix);
        }
    }

    public StorageRule Rule { get; }

    /// <summary>W -= change, as the rule rounds it.</summary>
    /// <param name="one">[1, 1] F32, 1.</param>
    public void Subtract(Parameter parameter, Tensor change, Tensor one, Tensor counts, ulong seed, uint step)
    {
        var scalars = new UpdateScalars(1f, false, Rule.Rounding, Rule.Regrid, 0, seed, (uint)parameter.Index, step);
        _device.ApplyUpdate(_matrices[parameter.Index], change, one, ChannelAxis.None, scalars, counts);
    }

    /// <summary>What products read; with the residual bits, what they would read if they read them too.</summary>
    public void Read(Parameter parameter, Tensor destination, bool withResiduals)
    {
        WeightMatrix matrix = _matrices[parameter.Index];
        _device.Dequantize(withResiduals ? matrix : matrix with { Residuals = default }, destination);
    }

    public void Dispose() => _device.Free(MemorySpace.Device, _memory);

    private WeightMatrix Lay(Parameter parameter, nint memory, ref long offset)
    {
        int groups = WeightMatrix.GroupsPerRow(parameter.Columns, Rule.GroupSize);
        Tensor codes = Next(DType.U8, parameter.Columns, ref offset);
        Tensor scales = Next(DType.BF16, groups, ref offset);
        Tensor zeros = Next(DType.U8, groups, ref offset);
        Tensor residuals = Rule.ResidualBits == 0
            ? default
            : Next(DType.U8, WeightMatrix.ResidualBytesPerRow(parameter.Columns, Rule.ResidualBits), ref offset);
        return new WeightMatrix(codes, scales, zeros, Rule.GroupSize) { Residuals = residuals };

        Tensor Next(DType dtype, int columns, ref long at)
        {
            var tensor = new Tensor(memory + (nint)at, dtype, parameter.Rows, columns);
            long alignment = _device.Profile.Alignment;
            at += (tensor.Bytes + alignment - 1) / alignment * alignment;
            return tensor;
        }
    }
}
