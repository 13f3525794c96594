using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json.Nodes;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints;

/// <summary>
/// The weights of a checkpoint: model.safetensors as others read it, with an index that keeps loaders of whole folders from the
/// optimizer's file, and residuals.safetensors, which is for this program alone.
/// <para>
/// INT8 matrices are stored as compressed-tensors' pack-quantized tensors (<see cref="StoredGroups"/>) wherever that form can hold the
/// model: dense embedding and head, rows of whole groups. Otherwise they are <c>X.weight</c>, <c>X.weight_scale</c>, <c>X.weight_zero</c>.
/// The codes and scales are the same bytes in both.
/// </para>
/// </summary>
internal static class TrainedWeightsFile
{
    public const string ResidualFile = "residuals.safetensors";

    public const string GroupSizeKey = "qapollo.group_size";

    public const string ZeroPointsKey = "qapollo.zero_points";

    private const string SymmetricWord = "symmetric";

    /// <summary>What config.json says of the matrices; null where they are in no form that others read, or are dense.</summary>
    public static PackQuantizedConfig? Quantization(LlamaConfig model, WeightFormats formats) =>
        formats.Matrices == WeightFormat.Int8 && formats.EmbeddingAndHead != WeightFormat.Int8
        && ParameterTable.Of(model).All(parameter => !parameter.IsMatrix || parameter.Columns % formats.GroupSize == 0)
            ? new PackQuantizedConfig(formats.GroupSize, formats.ZeroPoints == ZeroPointRule.Symmetric)
            : null;

    /// <summary>Of every safetensors file of a model with such weights.</summary>
    public static Dictionary<string, string> Metadata(int groupSize, ZeroPointRule zeroPoints)
    {
        // Many loaders refuse files whose metadata do not say which library the tensors are for.
        var metadata = new Dictionary<string, string>
        {
            ["format"] = "pt",
            [GroupSizeKey] = groupSize.ToString(CultureInfo.InvariantCulture),
        };
        if (zeroPoints == ZeroPointRule.Symmetric)
        {
            metadata[ZeroPointsKey] = SymmetricWord;
        }

        return metadata;
    }

    /// <summary>The rule that the groups of a file were made by.</summary>
    public static ZeroPointRule RuleOf(SafetensorsReader reader) =>
        reader.Metadata.TryGetValue(ZeroPointsKey, out string? word) && word == SymmetricWord ? ZeroPointRule.Symmetric : ZeroPointRule.Asymmetric;

    /// <summary>Writes the files into a checkpoint's folder.</summary>
    /// <exception cref="RunFailedException">A value is not finite, or the disk is full or fails.</exception>
    public static void Write(string folder, IDevice device, ModelWeights weights, LlamaConfig model, WeightFormats formats)
    {
        PackQuantizedConfig? packed = Quantization(model, formats);
        Dictionary<string, string> metadata = Metadata(formats.GroupSize, formats.ZeroPoints);
        FileTensor[] tensors = [.. weights.All.SelectMany(weight => Tensors(device, weights, weight, packed))];
        TensorFile.Write(Path.Combine(folder, CheckpointFolder.ModelFile), tensors, metadata);
        JsonObject index = ShardIndexJson.Create(
            tensors.Select(tensor => (tensor.Declaration, CheckpointFolder.ModelFile)));
        PendingFile.WriteAll(Path.Combine(folder, SafetensorsSet.IndexFile), HuggingFaceConfigJson.ToUtf8(index));
        PlannedTensor[] residuals = [.. weights.All.Select(weight => weight.Residuals).OfType<PlannedTensor>()];
        if (residuals.Length > 0)
        {
            TensorFile.Write(Path.Combine(folder, ResidualFile), residuals.Select(tensor => FileTensor.Of(device, weights.Store, tensor)), metadata);
        }
    }

    private static IEnumerable<FileTensor> Tensors(IDevice device, ModelWeights weights, Weight weight, PackQuantizedConfig? packed)
    {
        if (packed is null || !weight.Parameter.IsMatrix)
        {
            return new[] { weight.Values, weight.Scales, weight.ZeroPoints }.OfType<PlannedTensor>().Select(tensor => FileTensor.Of(device, weights.Store, tensor));
        }

        return PackedTensors(device, weights, weight, packed.IsSymmetric);
    }

    private static IEnumerable<FileTensor> PackedTensors(IDevice device, ModelWeights weights, Weight weight, bool isSymmetric)
    {
        (int rows, int columns) = (weight.Parameter.Rows, weight.Parameter.Columns);
        string name = weight.Parameter.Name;
        yield return FileTensor.Of(device, weights.Store, weight.Values) with
        {
            Declaration = new SafetensorsDeclaration(StoredGroups.PackedName(name), SafetensorsDType.I32, rows, columns / StoredGroups.Packed),
        };
        Tensor zeroPoints = weight.ZeroPoints!;
        int groups = zeroPoints.Columns;
        yield return FileTensor.Of(device, weights.Store, weight.Scales!) with
        {
            Declaration = new SafetensorsDeclaration(StoredGroups.ScaleName(name), SafetensorsDType.BF16, rows, groups),
        };
        if (!isSymmetric)
        {
            byte[] words = [];
            yield return new FileTensor(
                new SafetensorsDeclaration(StoredGroups.PackedZeroPointName(name), SafetensorsDType.I32, PackedZeroPoints.WordsOf(rows), groups),
                (offset, piece) =>
                {
                    words = offset == 0 ? PackedZeroPointsOf(device, weights.Store, zeroPoints) : words;
                    words.AsSpan((int)offset, piece.Length).CopyTo(piece);
                });
        }

        yield return new FileTensor(new SafetensorsDeclaration(StoredGroups.ShapeName(name), SafetensorsDType.I64, 2), (_, piece) =>
        {
            BinaryPrimitives.WriteInt64LittleEndian(piece, rows);
            BinaryPrimitives.WriteInt64LittleEndian(piece[sizeof(long)..], columns);
        });
    }

    private static byte[] PackedZeroPointsOf(IDevice device, LayerStore store, Tensor zeroPoints)
    {
        var bytes = new byte[zeroPoints.Bytes];
        store.Download(device, zeroPoints, bytes);
        return PackedZeroPoints.Pack(bytes, zeroPoints.Columns);
    }
}
