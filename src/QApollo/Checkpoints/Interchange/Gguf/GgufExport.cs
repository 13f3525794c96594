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
        GgufMetadata metadata = GgufModelMetadata.Create(model.Config, options.Name, GgmlTypes.Of(options.DType), options.Vocabulary, ModelLicense.Find(model.Path));
        (GgufTensor Tensor, GgufTensorSource Source)[] tensors = [.. Tensors(model, options.DType)];
        byte[]? factors = GgufRotary.Factors(model.Config);
        GgufTensor[] ahead = factors is null ? [] : [new GgufTensor(GgufRotary.FactorsName, GgmlType.F32, 1, factors.Length / sizeof(float), IsVector: true)];
        ExportFolders.CreateParent(options.Output);
        using var writer = new GgufWriter(options.Output, metadata, [.. ahead, .. tensors.Select(item => item.Tensor)]);
        if (factors is not null)
        {
            writer.Write(factors);
        }

        WriteTensors(writer, tensors, progress, stop);
        writer.Complete();
        return new ExportReport(writer.FileBytes, [options.Output], [.. options.Vocabulary.Notes, .. Notes(model.Config, options.DType, tensors)])
        {
            Q8Blocks = tensors.Sum(item => item.Source.Blocks),
            Int8Q8Blocks = tensors.Sum(item => item.Source.Int8Blocks),
            LosslessQ8Blocks = tensors.Sum(item => item.Source.LosslessBlocks),
        };
    }

    private static void WriteTensors(
        GgufWriter writer, (GgufTensor Tensor, GgufTensorSource Source)[] tensors, IProgress<ExportProgress>? progress, CancellationToken stop)
    {
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
    }

    /// <summary>Parameters in the order of the table; a tied head has none of its own.</summary>
    private static IEnumerable<(GgufTensor Tensor, GgufTensorSource Source)> Tensors(ModelFolder model, ExportDType dtype)
    {
        LlamaConfig config = model.Config;
        bool pairsNeighbours = GgufModelMetadata.PairsNeighbours(config);
        foreach (Parameter parameter in ParameterTable.Of(config))
        {
            bool isRotated = pairsNeighbours
                && parameter.Role is ParameterRole.Query or ParameterRole.Key or ParameterRole.QueryBias or ParameterRole.KeyBias;
            GgmlType type = parameter.IsVector ? GgmlType.F32 : GgmlTypes.For(dtype, parameter.Columns);
            yield return (
                new GgufTensor(GgufNames.Of(parameter), type, parameter.Rows, parameter.Columns, parameter.IsVector),
                new GgufTensorSource(new ExportedRows(model.Find(parameter), isRotated ? config.HeadDim : 0), type));
        }
    }

    private static IEnumerable<string> Notes(LlamaConfig config, ExportDType dtype, (GgufTensor Tensor, GgufTensorSource Source)[] tensors)
    {
        int halves = dtype == ExportDType.Q8 ? tensors.Count(item => item.Tensor.Type == GgmlType.F16) : 0;
        if (halves > 0)
        {
            yield return $"{halves} matrices have rows that are no whole blocks of {Q8Block.Values} values; they are F16";
        }

        if (GgufModelMetadata.ContextLength(config) < config.MaxPositionEmbeddings)
        {
            yield return $"the file says sequences of at most {config.SlidingWindow} tokens, the model's window: llama.cpp attends to all tokens of such a file";
        }
    }
}
