using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// Layers that wait elsewhere. A ring of device slots holds the one in use and those that come next; an updated layer
/// goes back before its slot is filled again. All copies run beside the computation, matrix by matrix.
/// </summary>
public abstract class StreamedLayers : LayerStore
{
    private readonly LayerWeights[] _layers;
    private readonly Slot[] _slots;
    private readonly Queue<Copy> _due = new();

    /// <summary>A weight that is on the device between passes, without its layer.</summary>
    private Weight? _alone;

    /// <summary>Declares the slots in the table.</summary>
    /// <param name="slots">2 to 4.</param>
    /// <exception cref="UsageException">Another number of slots.</exception>
    protected StreamedLayers(TensorTable table, LayerWeights[] layers, int slots)
    {
        if (slots is < LayerPlacement.FewestSlots or > LayerPlacement.MostSlots)
        {
            throw new UsageException(
                $"layers that do not stay on the device pass through {LayerPlacement.FewestSlots} to {LayerPlacement.MostSlots} slots on the device, not {slots}");
        }

        _layers = layers;
        _slots = [.. Enumerable.Range(0, Math.Min(slots, layers.Length)).Select(slot => new Slot(table, layers, slot))];
    }

    public override void BeginPass(IDevice device)
    {
        EndPass(device);
        foreach (Slot slot in _slots)
        {
            Vacate(slot);
        }

        _alone?.MoveTo(null);
        _alone = null;
    }

    public override void Use(IDevice device, int layer, int direction)
    {
        Slot? slot = Find(layer);
        if (slot is null)
        {
            // The first one of a pass: nothing could bring it ahead.
            slot = Fill(layer, layer, direction);
            StartDue(device, _due.Count);
        }

        Settle(device, slot.Pending);
        for (int ahead = 1; ahead < _slots.Length; ahead++)
        {
            int next = layer + (ahead * direction);
            if (next >= 0 && next < _layers.Length && Find(next) is null)
            {
                Fill(next, layer, direction);
            }
        }
    }

    public override void Advance(IDevice device, int part, int parts) => StartDue(device, (_due.Count + parts - part - 1) / (parts - part));

    public override void Changed(int layer)
    {
        Slot slot = Find(layer)!;
        for (int matrix = 0; matrix < slot.Matrices.Length; matrix++)
        {
            _due.Enqueue(new Copy(slot, layer, matrix, ToDevice: false));
        }
    }

    public override void EndPass(IDevice device)
    {
        StartDue(device, _due.Count);
        foreach (Slot slot in _slots)
        {
            Settle(device, slot.Pending);
        }
    }

    public override void Fetch(IDevice device, Weight weight)
    {
        BeginWrite(device, weight);
        if (weight.Parameter.IsMatrix)
        {
            Expect(weight, slot: 0, MatrixOf(weight));
        }

        Move(device, weight, toDevice: true);
    }

    public override void BeginWrite(IDevice device, Weight weight)
    {
        if (weight.Parameter.IsMatrix)
        {
            BeginPass(device);
            _alone = weight;
            weight.MoveTo(_slots[0].Matrices[MatrixOf(weight)]);
        }
    }

    public override void EndWrite(IDevice device, Weight weight) => Move(device, weight, toDevice: false);

    /// <summary>A matrix will be fetched into a slot soon: so far nothing else is on its way there from its place.</summary>
    protected virtual void Expect(Weight weight, int slot, int matrix)
    {
    }

    /// <summary>Begins the copies from where a matrix lives to a slot.</summary>
    /// <param name="begun">Receives the transfers.</param>
    private protected abstract void BeginFetch(IDevice device, Weight weight, int slot, int matrix, WeightTensors target, List<Transfer> begun);

    /// <summary>Begins the copies of an updated matrix from a slot to where it lives.</summary>
    /// <param name="begun">Receives the transfers.</param>
    private protected abstract void BeginReturn(IDevice device, Weight weight, int matrix, WeightTensors source, List<Transfer> begun);

    /// <summary>Orders what follows after transfers, which are forgotten then.</summary>
    protected virtual void Settle(IDevice device, List<Transfer> pending)
    {
        foreach (Transfer transfer in pending)
        {
            device.AwaitTransfer(transfer);
        }

        pending.Clear();
    }

    /// <summary>Declares memory that one layer at a time passes through.</summary>
    private protected static WeightTensors[] DeclareLayer(TensorTable table, LayerWeights[] layers, string name, MemorySpace space) =>
    [
        .. layers[0].Matrices.Select((weight, matrix) => weight.Home.DeclareSlot(
            table, $"{name}.{weight.Parameter.Role}", space,
            layers.Select(layer => layer.Matrices[matrix].Residuals).FirstOrDefault(residuals => residuals is not null))),
    ];

    private void Move(IDevice device, Weight weight, bool toDevice)
    {
        if (weight.Parameter.IsMatrix)
        {
            Start(device, new Copy(_slots[0], weight.Parameter.Layer, MatrixOf(weight), toDevice));
            EndPass(device);
        }
    }

    private int MatrixOf(Weight weight) => Array.FindIndex(_layers[weight.Parameter.Layer].Matrices, matrix => matrix.Parameter == weight.Parameter);

    private Slot? Find(int layer)
    {
        foreach (Slot slot in _slots)
        {
            if (slot.Layer == layer)
            {
                return slot;
            }
        }

        return null;
    }

    /// <summary>Queues the copies of a layer into a slot that neither the layer in use nor one that comes before it needs.</summary>
    private Slot Fill(int layer, int inUse, int direction)
    {
        Slot free = _slots[0];
        foreach (Slot slot in _slots)
        {
            int ahead = (slot.Layer - inUse) * direction;
            if (slot.Layer < 0 || ahead < 0 || ahead >= _slots.Length)
            {
                free = slot;
                break;
            }
        }

        Vacate(free);
        free.Layer = layer;
        for (int matrix = 0; matrix < free.Matrices.Length; matrix++)
        {
            Expect(_layers[layer].Matrices[matrix], free.Number, matrix);
            _due.Enqueue(new Copy(free, layer, matrix, ToDevice: true));
        }

        return free;
    }

    private void Vacate(Slot slot)
    {
        if (slot.Layer >= 0)
        {
            foreach (Weight weight in _layers[slot.Layer].Matrices)
            {
                weight.MoveTo(null);
            }
        }

        slot.Layer = -1;
    }

    private void StartDue(IDevice device, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Start(device, _due.Dequeue());
        }
    }

    /// <summary>Transfers keep their order, so what a slot held goes back before the next layer comes.</summary>
    private void Start(IDevice device, in Copy copy)
    {
        Weight weight = _layers[copy.Layer].Matrices[copy.Matrix];
        if (copy.ToDevice)
        {
            BeginFetch(device, weight, copy.Slot.Number, copy.Matrix, copy.Slot.Matrices[copy.Matrix], copy.Slot.Pending);
            weight.MoveTo(copy.Slot.Matrices[copy.Matrix]);
        }
        else
        {
            BeginReturn(device, weight, copy.Matrix, copy.Slot.Matrices[copy.Matrix], copy.Slot.Pending);
        }
    }

    private readonly record struct Copy(Slot Slot, int Layer, int Matrix, bool ToDevice);

    /// <summary>Device memory for one layer, and the layer that is in it or on its way.</summary>
    private sealed class Slot
    {
        public Slot(TensorTable table, LayerWeights[] layers, int number)
        {
            Number = number;
            Matrices = DeclareLayer(table, layers, $"layer.slot{number}", MemorySpace.Device);
        }

        public int Number { get; }

        public WeightTensors[] Matrices { get; }

        public int Layer { get; set; } = -1;

        public List<Transfer> Pending { get; } = [];
    }
}
