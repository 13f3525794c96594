using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// Layers that wait in a file. Each slot has a place in pinned host memory that its next layer is read into meanwhile; updated
/// layers are written from two more. The host waits for the disk where the computation would, and for the device before it
/// touches what is on its way: slower than layers in host memory, in next to none of it.
/// </summary>
public sealed class DiskLayers : StreamedLayers
{
    /// <summary>One that a layer is copied to, one that the layer before is written from.</summary>
    private const int ReturnPlaces = 2;

    private const int ZeroedBytes = 1 << 20;

    private readonly WeightTensors[][] _fetched;
    private readonly long[][] _reads;
    private readonly WeightTensors[][] _returned;
    private readonly long[][] _writes;
    private readonly List<Return> _returning = [];
    private readonly List<Transfer> _begun = [];
    private ScratchFile? _file;
    private long _lastWrite;

    /// <param name="slots">2 to 4.</param>
    public DiskLayers(TensorTable table, LayerWeights[] layers, int slots)
        : base(table, layers, slots)
    {
        WeightTensors[][] Places(string name, int count) =>
            [.. Enumerable.Range(0, count).Select(place => DeclareLayer(table, layers, $"{name}{place}", MemorySpace.PinnedHost))];
        _fetched = Places("layer.fetched", Math.Min(slots, layers.Length));
        _returned = Places("layer.returned", ReturnPlaces);
        _reads = [.. _fetched.Select(place => new long[place.Length])];
        _writes = [.. _returned.Select(place => new long[place.Length])];
    }

    public override void Advance(IDevice device, int part, int parts)
    {
        // What was begun with the part before had all of its computation to arrive.
        WriteReturned(device);
        base.Advance(device, part, parts);
    }

    public override void EndPass(IDevice device)
    {
        base.EndPass(device);
        WriteReturned(device);
        _file?.Wait(_lastWrite);
    }

    public override void Upload(IDevice device, ReadOnlySpan<byte> source, Tensor destination)
    {
        if (destination.IsOnDisk())
        {
            _file?.WriteNow(destination.FileOffset(), source);
            return;
        }

        device.Upload(source, destination);
    }

    public override void Download(IDevice device, Tensor source, Span<byte> destination)
    {
        if (source.IsOnDisk())
        {
            _file?.ReadNow(source.FileOffset(), destination);
            return;
        }

        device.Download(source, destination);
    }

    public override void Zero(IDevice device, Tensor tensor)
    {
        if (!tensor.IsOnDisk())
        {
            device.Zero(tensor);
            return;
        }

        byte[] zeros = new byte[Math.Min(ZeroedBytes, tensor.Bytes)];
        for (long done = 0; done < tensor.Bytes; done += zeros.Length)
        {
            _file?.WriteNow(tensor.FileOffset() + done, zeros.AsSpan(0, (int)Math.Min(zeros.Length, tensor.Bytes - done)));
        }
    }

    /// <summary>Without a file, while a step is rehearsed, nothing is read or written.</summary>
    internal override void Attach(ScratchFile file) => _file = file;

    protected override void Expect(Weight weight, int slot, int matrix)
    {
        if (_file is not null)
        {
            _reads[slot][matrix] = weight.Home.Read(_file, _fetched[slot][matrix], weight.Residuals is not null);
        }
    }

    private protected override void BeginFetch(IDevice device, Weight weight, int slot, int matrix, WeightTensors target, List<Transfer> begun)
    {
        _file?.Wait(_reads[slot][matrix]);
        _fetched[slot][matrix].BeginTransfer(device, target, weight.Residuals is not null, begun);
    }

    private protected override void BeginReturn(IDevice device, Weight weight, int matrix, WeightTensors source, List<Transfer> begun)
    {
        int place = weight.Parameter.Layer % ReturnPlaces;
        _file?.Wait(_writes[place][matrix]);
        int first = _begun.Count;
        source.BeginTransfer(device, _returned[place][matrix], weight.Residuals is not null, _begun);
        _returning.Add(new Return(weight, place, matrix, first, _begun.Count - first));
    }

    /// <summary>The host waits too: the places that a layer came through are read into again.</summary>
    protected override void Settle(IDevice device, List<Transfer> pending)
    {
        foreach (Transfer transfer in pending)
        {
            device.WaitForTransfer(transfer);
        }

        pending.Clear();
    }

    /// <summary>Asks for what has come back from the device to be written.</summary>
    private void WriteReturned(IDevice device)
    {
        foreach (Return returned in _returning)
        {
            for (int i = 0; i < returned.Transfers; i++)
            {
                device.WaitForTransfer(_begun[returned.FirstTransfer + i]);
            }

            if (_file is not null)
            {
                _lastWrite = returned.Weight.Home.Write(_file, _returned[returned.Place][returned.Matrix], returned.Weight.Residuals is not null);
                _writes[returned.Place][returned.Matrix] = _lastWrite;
            }
        }

        _returning.Clear();
        _begun.Clear();
    }

    /// <summary>A matrix on its way from the device to the place that it is written from.</summary>
    private readonly record struct Return(Weight Weight, int Place, int Matrix, int FirstTransfer, int Transfers);
}
