using QApollo.Devices;
using QApollo.Memory;
using QApollo.Training;

namespace QApollo.TestSupport;

/// <summary>
/// Compares the whole device arena before and after every operation of a training: only the tensors that the operation says it writes, and the
/// workspace, may have changed. All other bytes, those between the tensors among them, guard what lies beside them.
/// </summary>
/// <param name="device">Behind the <see cref="TracingDevice"/> that this observes.</param>
public sealed class ArenaWatch(IDevice device) : IOperationObserver
{
    private readonly List<Tensor> _written = [];
    private readonly List<Tensor> _arriving = [];
    private Tensor _arena;
    private Tensor _workspace;
    private byte[] _before = [];
    private byte[] _after = [];
    private string _operation = "nothing";

    /// <summary>Names of the operations that were compared.</summary>
    public HashSet<string> Operations { get; } = [];

    /// <summary>Two steps of a course, watched.</summary>
    /// <param name="device">One that runs each operation when it is asked to.</param>
    /// <returns>Names of the operations that were compared.</returns>
    /// <exception cref="InvalidOperationException">One changed what it does not write.</exception>
    public static IReadOnlySet<string> Run(ParityCourse course, IDevice device)
    {
        var watch = new ArenaWatch(device);
        using var trainer = new Trainer(course.Options, new TracingDevice(device.Profile, watch, device));
        watch.Begin(trainer);
        for (int seed = 0; seed < 2; seed++)
        {
            (int[] tokens, int[] labels) = ParityCourse.Batch(trainer.Layout.Options, seed);
            trainer.Step(tokens, labels);
        }

        watch.Compare();
        return watch.Operations;
    }

    /// <summary>Begins with the next operation.</summary>
    public void Begin(Trainer trainer)
    {
        PlannedTensor any = trainer.Plan.Table.Tensors.First(tensor => tensor.Space == MemorySpace.Device);
        Tensor bound = any;
        _arena = new Tensor(bound.Address - (nint)any.Offset, DType.U8, 1, checked((int)trainer.Plan.DeviceArenaBytes));
        _workspace = trainer.Layout.Workspace is { } workspace ? workspace : default(Tensor);
        (_before, _after) = (new byte[_arena.Columns], new byte[_arena.Columns]);
        device.Download(_arena, _before);
        _written.Clear();
    }

    public void OnOperation(string operation, ReadOnlySpan<Access> accesses)
    {
        if (_arena.IsAbsent)
        {
            return;
        }

        Compare();
        _operation = operation;
        _written.Clear();
        foreach (Access access in accesses)
        {
            if (access.Kind == AccessKind.Read || access.Tensor.IsAbsent)
            {
                continue;
            }

            _written.Add(access.Tensor);
            if (operation == "transfer")
            {
                // Beside later operations, until somebody waits for it.
                _arriving.Add(access.Tensor);
            }
            else if (operation == "await transfer")
            {
                _arriving.Remove(access.Tensor);
            }
        }
    }

    /// <summary>Compares after the last operation so far.</summary>
    /// <exception cref="InvalidOperationException">It changed what it does not write.</exception>
    public void Compare()
    {
        device.Download(_arena, _after);
        Allow(_workspace);
        _written.ForEach(Allow);
        _arriving.ForEach(Allow);
        int first = _before.AsSpan().CommonPrefixLength(_after);
        if (first < _before.Length)
        {
            throw new InvalidOperationException($"'{_operation}' changed byte {first} of the arena, which is of no tensor that it writes");
        }

        Operations.Add(_operation);
    }

    /// <summary>What may have changed is compared with itself.</summary>
    private void Allow(Tensor tensor)
    {
        long offset = tensor.Address - _arena.Address;
        if (!tensor.IsAbsent && offset >= 0 && offset < _arena.Bytes)
        {
            _after.AsSpan((int)offset, (int)tensor.Bytes).CopyTo(_before.AsSpan((int)offset));
        }
    }
}
