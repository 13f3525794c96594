using System.Runtime.InteropServices;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Devices;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints.Interchange;

/// <summary>
/// The weights of a model as they are after an export: rounded to the element type of the file, row by row. What a reader of the file
/// computes with is thus known before, and without, reading it.
/// </summary>
/// <param name="model">The weights as trained.</param>
/// <param name="dtype">Of the export; <see cref="ExportDType.Int8"/> changes nothing.</param>
/// <param name="isGguf">Vectors stay F32, as in GGUF files.</param>
public sealed class RoundedWeights(ModelFolder model, ExportDType dtype, bool isGguf) : IWeightSource
{
    /// <summary>The formats that keep the rounded values.</summary>
    public WeightFormats Formats => dtype switch
    {
        ExportDType.Int8 => model.Formats,
        ExportDType.BF16 => model.Formats with { Matrices = WeightFormat.BF16, EmbeddingAndHead = WeightFormat.BF16 },
        _ => model.Formats with { Matrices = WeightFormat.F32, EmbeddingAndHead = WeightFormat.F32 },
    };

    /// <inheritdoc/>
    public void Load(IDevice device, ModelWeights weights, WeightStaging staging)
    {
        if (dtype == ExportDType.Int8)
        {
            model.Load(device, weights, staging);
            return;
        }

        foreach (Weight weight in weights.All)
        {
            StoredWeight stored = model.Find(weight.Parameter);
            GgmlType type = weight.Parameter.IsVector && isGguf ? GgmlType.F32 : GgmlTypes.For(dtype, weight.Parameter.Columns);
            var source = new GgufTensorSource(new ExportedRows(stored), type);
            byte[] encoded = [];
            staging.Load(device, weight, (firstRow, destination) =>
            {
                Span<float> values = MemoryMarshal.Cast<byte, float>(destination);
                int rows = values.Length / weight.Parameter.Columns;
                Array.Resize(ref encoded, checked((int)(rows * type.RowBytes(weight.Parameter.Columns))));
                source.Encode(firstRow, rows, encoded);
                Decode(type, encoded, values);
            });
        }
    }

    private static void Decode(GgmlType type, ReadOnlySpan<byte> encoded, Span<float> values)
    {
        switch (type)
        {
            case GgmlType.F32:
                MemoryMarshal.Cast<byte, float>(encoded).CopyTo(values);
                break;
            case GgmlType.Q8_0:
                for (int block = 0; block < values.Length / Q8Block.Values; block++)
                {
                    Q8Block.Dequantize(encoded.Slice(block * Q8Block.Bytes, Q8Block.Bytes), values.Slice(block * Q8Block.Values, Q8Block.Values));
                }

                break;
            default:
                ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(encoded);
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = type == GgmlType.BF16 ? BFloat.ToSingle(bits[i]) : (float)BitConverter.UInt16BitsToHalf(bits[i]);
                }

                break;
        }
    }
}
