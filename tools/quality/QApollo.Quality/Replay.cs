using System.Runtime.InteropServices;
using QApollo.Batches;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Training;

namespace QApollo.Quality;

/// <summary>
/// Follows one F32 run: every rule applies exactly the run's updates to its own copy of the matrices. What the rules then
/// lose against the F32 weights is their rounding alone: the runs cannot part, as trainings of their own do.
/// </summary>
internal sealed class Replay : IReleaseHook, IDisposable
{
    private readonly Dictionary<int, float[]> _values = [];
    private readonly List<StoredCopy> _copies = [];
    private readonly List<Weight> _matrices = [];
    private IDevice _device = null!;
    private Trainer _trainer = null!;
    private nint _memory;
    private float[] _change = [];
    private Tensor _gradient;
    private Tensor _one;
    private Tensor _counts;

    public IReadOnlyList<StoredCopy> Copies => _copies;

    /// <summary>Begins with the weights as they are.</summary>
    /// <param name="trainer">With F32 matrices, and this among its hooks.</param>
    public void Begin(Trainer trainer, IReadOnlyList<StorageRule> rules)
    {
        (_trainer, _device) = (trainer, trainer.Device);
        _matrices.AddRange(trainer.Layout.Weights.All.Where(weight => weight.Parameter.IsMatrix));
        int largest = _matrices.Max(weight => (int)weight.Parameter.Elements);
        int alignment = _device.Profile.Alignment;
        long scratch = TensorBytes(largest * sizeof(float), alignment);
        _memory = _device.Allocate(MemorySpace.Device, scratch + (2 * alignment) + (UpdateCounts.Length * sizeof(long)));
        _gradient = new Tensor(_memory, DType.F32, 1, largest);
        _one = new Tensor(_memory + (nint)scratch, DType.F32, 1, 1);
        _counts = new Tensor(_memory + (nint)scratch + alignment, DType.I64, 1, UpdateCounts.Length);
        _device.Fill(_one, 1f);
        _change = new float[largest];
        foreach (Weight weight in _matrices)
        {
            var values = new float[weight.Parameter.Elements];
            _device.Download(weight.Values, MemoryMarshal.AsBytes(values.AsSpan()));
            _values.Add(weight.Parameter.Index, values);
        }

        _copies.AddRange(rules.Select(rule => new StoredCopy(_device, rule, _matrices)));
    }

    public void BeforeUpdate(IDevice device, in ReleasedGradient released)
    {
    }

    public void AfterUpdate(IDevice device, in ReleasedGradient released)
    {
        Parameter parameter = released.Parameter;
        if (!_values.TryGetValue(parameter.Index, out float[]? values))
        {
            return;
        }

        Span<float> change = _change.AsSpan(0, values.Length);
        device.Download(released.Weight.Values, MemoryMarshal.AsBytes(change));
        for (int i = 0; i < values.Length; i++)
        {
            (values[i], change[i]) = (change[i], values[i] - change[i]);
        }

        Tensor gradient = _gradient.Reshape(parameter.Rows, parameter.Columns);
        device.Upload(MemoryMarshal.AsBytes(change), gradient);
        foreach (StoredCopy copy in _copies)
        {
            copy.Subtract(parameter, gradient, _one, _counts, _trainer.Layout.Options.Seed, released.Step);
        }
    }

    /// <summary>The held-out loss with some matrices as a rule stores them, and all others as they are.</summary>
    public double Loss(IValidationBatches batches, StoredCopy? copy, Func<Parameter, bool> isStored, bool withResiduals = false)
    {
        foreach (Weight weight in _matrices.Where(weight => copy is not null && isStored(weight.Parameter)))
        {
            copy!.Read(weight.Parameter, weight.Values, withResiduals);
        }

        double loss = Evaluation.MeanLoss(_trainer, batches).Loss;
        foreach (Weight weight in _matrices)
        {
            _device.Upload(MemoryMarshal.AsBytes(_values[weight.Parameter.Index].AsSpan()), weight.Values);
        }

        return loss;
    }

    public void Dispose()
    {
        _copies.ForEach(copy => copy.Dispose());
        _device?.Free(MemorySpace.Device, _memory);
    }

    private static long TensorBytes(long bytes, int alignment) => (bytes + alignment - 1) / alignment * alignment;
}
