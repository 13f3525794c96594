using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>What to write.</summary>
public sealed record GgufExportOptions
{
    /// <summary>The file.</summary>
    public required string Output { get; init; }

    /// <summary>Any but <see cref="ExportDType.Int8"/>. Vectors are always F32.</summary>
    public required ExportDType DType { get; init; }

    /// <summary>For people: general.name.</summary>
    public required string Name { get; init; }

    public required GgufVocabulary Vocabulary { get; init; }

    /// <summary>Replace a file of that name.</summary>
    public bool Replace { get; init; }
}

/// <summary>A model as a GGUF file, which llama.cpp and the programs built on it run.</summary>
public static class GgufExport
{
    /// <summary>Writes the file, a few rows at a time; it appears whole or not at all.</summary>
    /// <exception cref="UsageException">The name is taken, or the model or its tokenizer cannot be put into such a file.</exception>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    /// <exception cref="OperationCanceledException">Stopped; nothing is left.</exception>
    public static ExportReport Write(
        ModelFolder model, GgufExportOptions options, IProgress<ExportProgress>? progress = null, CancellationToken stop = default)
    {
        ExportTarget.RequireFile(options.Output, options.Replace);
        GgmlType type = GgmlTypes.Of(options.DType);
        var notes = new List<string>(options.Vocabulary.Notes);
        (GgufTensor Tensor, GgufTensorSource Source)[] tensors = [.. Tensors(model, type, notes)];
        GgufMetadata metadata = GgufModelMetadata.Create(model.Config, options.Name, type, options.Vocabulary);
        ExportFolders.CreateParent(options.Output);
        using var writer = new GgufWriter(options.Output, metadata, [.. tensors.Select(item => item.Tensor)]);
        long total = tensors.Sum(item => item.Tensor.Bytes);
        long written = 0;
        byte[] piece = [];
        foreach ((GgufTensor tensor, GgufTensorSource source) in tensors)
        {
            int rowBytes = checked((int)tensor.Type.RowBytes(tensor.Columns));
            for (int row = 0; row < tensor.Rows; row += source.PieceRows)
            {
                stop.ThrowIfCancellationRequested();
                int count = (int)Math.Min(source.PieceRows, tensor.Rows - row);
                Array.Resize(ref piece, count * rowBytes);
                source.Encode(row, count, piece);
                writer.Write(piece);
                written += piece.Length;
                progress?.Report(new ExportProgress(written, total));
            }
        }

        writer.Complete();
        return new ExportReport(writer.FileBytes, [options.Output], notes)
        {
            Q8Blocks = tensors.Sum(item => item.Source.Blocks),
            LosslessQ8Blocks = tensors.Sum(item => item.Source.LosslessBlocks),
        };
    }

    /// <summary>Parameters in the order of the table; a tied head has none of its own.</summary>
    private static IEnumerable<(GgufTensor Tensor, GgufTensorSource Source)> Tensors(ModelFolder model, GgmlType wanted, List<string> notes)
    {
        LlamaConfig config = model.Config;
        bool pairsNeighbours = GgufModelMetadata.PairsNeighbours(config);
        foreach (Parameter parameter in ParameterTable.Of(config))
        {
            bool isRotated = pairsNeighbours && parameter.Role is ParameterRole.Query or ParameterRole.Key;
            GgmlType type = parameter.Rows == 1 ? GgmlType.F32 : wanted;
            if (type == GgmlType.Q8_0 && parameter.Columns % Q8Block.Values != 0)
            {
                type = GgmlType.F16;
                notes.Add($"{parameter.Name}: rows of {parameter.Columns} values are no whole blocks of {Q8Block.Values}; written as F16");
            }

            yield return (
                new GgufTensor(GgufNames.Of(parameter), type, parameter.Rows, parameter.Columns, IsVector: parameter.Rows == 1),
                new GgufTensorSource(new ExportedRows(model.Find(parameter), isRotated ? config.HeadDim : 0), type));
        }
    }
}
