using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Checkpoints;

/// <summary>A tensor of a file, and where its bytes come from.</summary>
internal sealed record FileTensor(SafetensorsDeclaration Declaration, SafetensorsSource Source)
{
    /// <summary>A planned tensor under its own name, from where it lives. Vectors are stored with one dimension, as Hugging Face does.</summary>
    public static FileTensor Of(IDevice device, LayerStore store, PlannedTensor tensor)
    {
        Tensor view = tensor;
        return new FileTensor(TensorFile.Declare(tensor), (offset, piece) => store.Download(device, TensorFile.Part(view, offset, piece.Length), piece));
    }
}

/// <summary>Moves tensors between where they live and a safetensors file, piece by piece: never a second copy of the weights.</summary>
internal static class TensorFile
{
    private const int PieceBytes = 4 << 20;

    /// <exception cref="RunFailedException">A value is not finite, or the disk is full or fails; nothing is left.</exception>
    public static void Write(string path, IEnumerable<FileTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        Dictionary<string, FileTensor> byName = tensors.ToDictionary(tensor => tensor.Declaration.Name);
        using var writer = new SafetensorsWriter(path, byName.Values.Select(tensor => tensor.Declaration), metadata);
        foreach (SafetensorsEntry entry in writer.Entries)
        {
            SafetensorsSource source = byName[entry.Name].Source;
            writer.Write(entry, (offset, piece) =>
            {
                source(offset, piece);
                if (!IsFinite(entry.DType, piece))
                {
                    throw new RunFailedException(
                        $"{entry.Name} is not finite, so that nothing is saved: the run has diverged; a lower --lr or more --warmup-steps may help");
                }
            });
        }

        writer.Complete();
    }

    /// <exception cref="InvalidFileException">A tensor is missing or has another shape or type; the message names the difference.</exception>
    public static void Read(string path, IDevice device, LayerStore store, IEnumerable<PlannedTensor> tensors, IProgress<StageProgress>? progress = null)
    {
        using var reader = new SafetensorsReader(path);
        var buffer = new byte[PieceBytes];
        long done = 0;
        long total = RegularFile.LengthOf(path);
        string stage = $"reading {Path.GetFileName(path)}";
        foreach (PlannedTensor tensor in tensors)
        {
            SafetensorsEntry entry = reader.Find(tensor.Name);
            SafetensorsDeclaration expected = Declare(tensor);
            if (entry.DType != expected.DType || !entry.Shape.SequenceEqual(expected.Shape))
            {
                throw new InvalidFileException(path, $"holds {entry}, but this run needs {expected.DType.FormatName()}[{string.Join(", ", expected.Shape)}]");
            }

            for (long offset = 0; offset < entry.ByteLength; offset += PieceBytes)
            {
                Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(PieceBytes, entry.ByteLength - offset));
                reader.Read(entry, offset, piece);
                store.Upload(device, piece, Part(tensor, offset, piece.Length));
                progress?.Report(new StageProgress(stage, done += piece.Length, total));
            }
        }

        progress?.Report(new StageProgress(stage, total, total));
    }

    /// <summary>Whether no exponent is that of infinity or NaN.</summary>
    public static bool IsFinite(SafetensorsDType dtype, ReadOnlySpan<byte> piece)
    {
        switch (dtype)
        {
            case SafetensorsDType.F32:
                const uint Exponent = 0x7F80_0000;
                foreach (uint bits in MemoryMarshal.Cast<byte, uint>(piece))
                {
                    if ((bits & Exponent) == Exponent)
                    {
                        return false;
                    }
                }

                return true;
            case SafetensorsDType.BF16:
                const ushort ShortExponent = 0x7F80;
                foreach (ushort bits in MemoryMarshal.Cast<byte, ushort>(piece))
                {
                    if ((bits & ShortExponent) == ShortExponent)
                    {
                        return false;
                    }
                }

                return true;
            default:
                return true;
        }
    }

    public static Tensor Part(Tensor tensor, long offset, int bytes) =>
        tensor.ElementRange(offset / tensor.DType.Size(), bytes / tensor.DType.Size());

    /// <summary>Vectors are stored with one dimension, as Hugging Face does.</summary>
    public static SafetensorsDeclaration Declare(PlannedTensor tensor)
    {
        Tensor view = tensor;
        SafetensorsDType dtype = view.DType switch
        {
            DType.F32 => SafetensorsDType.F32,
            DType.BF16 => SafetensorsDType.BF16,
            DType.U8 => SafetensorsDType.U8,
            DType.I32 => SafetensorsDType.I32,
            _ => throw new InvalidOperationException($"{tensor}: no such type in safetensors files"),
        };
        return view.Rows == 1
            ? new SafetensorsDeclaration(tensor.Name, dtype, view.Columns)
            : new SafetensorsDeclaration(tensor.Name, dtype, view.Rows, view.Columns);
    }
}
