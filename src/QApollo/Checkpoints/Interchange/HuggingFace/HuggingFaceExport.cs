using System.Text;
using System.Text.Json.Nodes;
using QApollo.Files;
using QApollo.Models;

namespace QApollo.Checkpoints.Interchange.HuggingFace;

/// <summary>What to write.</summary>
public sealed record HuggingFaceExportOptions
{
    /// <summary>The folder.</summary>
    public required string Output { get; init; }

    /// <summary>Any but <see cref="ExportDType.Q8"/>. <see cref="ExportDType.Int8"/> keeps every tensor as it is stored.</summary>
    public required ExportDType DType { get; init; }

    /// <summary>For the model card.</summary>
    public required string Name { get; init; }

    /// <summary>tokenizer.json and what belongs to it.</summary>
    public IReadOnlyList<InterchangeFile> TokenizerFiles { get; init; } = [];

    /// <summary>Token that begins documents; null keeps the configuration's.</summary>
    public int? BeginToken { get; init; }

    /// <summary>Token that ends documents; null keeps the configuration's. Of several end tokens there, the others stay.</summary>
    public int? EndToken { get; init; }

    /// <summary>Bytes of tensors in a file; a larger tensor has a file of its own.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>Replace an exported folder of that name.</summary>
    public bool Replace { get; init; }
}

/// <summary>A model as a folder that transformers, vLLM and others load.</summary>
public static class HuggingFaceExport
{
    /// <summary>Writes the folder, a few rows at a time; it appears whole or not at all.</summary>
    /// <exception cref="UsageException">The name is taken, or the model cannot be written so.</exception>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    /// <exception cref="OperationCanceledException">Stopped; nothing is left.</exception>
    public static ExportReport Write(
        ModelFolder model, HuggingFaceExportOptions options, IProgress<ExportProgress>? progress = null, CancellationToken stop = default)
    {
        ExportTarget.RequireFolder(options.Output, model.Path, options.Replace);
        LlamaConfig config = model.Config with { BosTokenId = options.BeginToken ?? model.Config.BosTokenId };
        config = options.EndToken is int end ? config.WithEndToken(end) : config;
        PackQuantizedConfig? quantization = options.DType == ExportDType.Int8 ? Quantization(model) : null;
        IReadOnlyList<Shard> shards = ShardPlan.Make([.. Tensors(model, options.DType, quantization)], options.MaxShardBytes);
        ExportFolders.CreateParent(options.Output);
        using var folder = new PendingFolder(options.Output);
        WriteJson(folder, CheckpointFolder.ConfigFile, HuggingFaceConfigJson.Config(config, TorchDType(options.DType), quantization));
        WriteJson(folder, ExportFolders.GenerationFile, HuggingFaceConfigJson.Generation(config));
        if (shards.Count > 1)
        {
            WriteJson(folder, SafetensorsSet.IndexFile, ShardIndexJson.Create(shards.SelectMany(shard => shard.Tensors.Select(tensor => (tensor.Declaration, shard.File)))));
        }

        PendingFile.WriteAll(System.IO.Path.Combine(folder.Path, "README.md"), Encoding.UTF8.GetBytes(ModelCard.Create(model, options.Name, options.DType.ToString().ToLowerInvariant())));
        foreach (InterchangeFile file in options.TokenizerFiles)
        {
            PendingFile.WriteAll(System.IO.Path.Combine(folder.Path, file.Name), file.Content.Span);
        }

        long bytes = WriteShards(folder, shards, Metadata(model, quantization), progress, stop);
        stop.ThrowIfCancellationRequested();
        folder.Commit();
        return new ExportReport(bytes, [.. shards.Select(shard => System.IO.Path.Combine(options.Output, shard.File))], []);
    }

    private static long WriteShards(
        PendingFolder folder, IReadOnlyList<Shard> shards, IReadOnlyDictionary<string, string> metadata, IProgress<ExportProgress>? progress, CancellationToken stop)
    {
        long total = shards.Sum(shard => shard.Tensors.Sum(tensor => tensor.Declaration.ByteLength));
        long written = 0;
        long fileBytes = 0;
        foreach (Shard shard in shards)
        {
            Dictionary<string, HuggingFaceTensor> byName = shard.Tensors.ToDictionary(tensor => tensor.Declaration.Name);
            using var writer = new SafetensorsWriter(
                System.IO.Path.Combine(folder.Path, shard.File), shard.Tensors.Select(tensor => tensor.Declaration), metadata);
            foreach (SafetensorsEntry entry in writer.Entries)
            {
                byName[entry.Name].WriteTo(piece =>
                {
                    stop.ThrowIfCancellationRequested();
                    writer.Write(entry, piece);
                    written += piece.Length;
                    progress?.Report(new ExportProgress(written, total));
                });
            }

            writer.Complete();
            fileBytes += writer.FileBytes;
        }

        return fileBytes;
    }

    private static IEnumerable<HuggingFaceTensor> Tensors(ModelFolder model, ExportDType dtype, PackQuantizedConfig? quantization)
    {
        foreach (Parameter parameter in ParameterTable.Of(model.Config))
        {
            StoredWeight stored = model.Find(parameter);
            if (quantization is null)
            {
                yield return HuggingFaceTensor.Dense(stored, dtype);
                continue;
            }

            if (!parameter.IsMatrix)
            {
                // As stored; INT8 groups of an embedding have no form that others read, and are exact as F32.
                yield return HuggingFaceTensor.Dense(stored, stored.Format == WeightFormat.BF16 ? ExportDType.BF16 : ExportDType.F32);
                continue;
            }

            foreach (HuggingFaceTensor tensor in PackQuantizedMatrix.Tensors(stored, quantization.IsSymmetric))
            {
                yield return tensor;
            }
        }
    }

    /// <exception cref="UsageException">The matrices are no INT8 groups.</exception>
    private static PackQuantizedConfig Quantization(ModelFolder model)
    {
        StoredWeight[] matrices = [.. ParameterTable.Of(model.Config).Where(parameter => parameter.IsMatrix).Select(model.Find)];
        if (Array.Find(matrices, matrix => !matrix.IsQuantized || matrix.GroupSize != matrices[0].GroupSize) is { } other)
        {
            throw new UsageException($"--dtype int8: {model.Path} has {other.Parameter.Name} in {other.Format}, not in INT8 groups; export bf16, f16 or f32");
        }

        return new PackQuantizedConfig(matrices[0].GroupSize, matrices.All(PackQuantizedMatrix.IsSymmetric));
    }

    /// <summary>Groups say which rule they follow, so that a run on these weights can go on with it.</summary>
    private static Dictionary<string, string> Metadata(ModelFolder model, PackQuantizedConfig? quantization) => quantization is null
        ? new Dictionary<string, string> { ["format"] = "pt" }
        : TrainedWeightsFile.Metadata(quantization.GroupSize, model.Formats.ZeroPoints);

    private static string TorchDType(ExportDType dtype) => dtype switch
    {
        ExportDType.F32 => "float32",
        ExportDType.F16 => "float16",
        ExportDType.BF16 or ExportDType.Int8 => "bfloat16",
        _ => throw new UsageException($"--dtype: {dtype.ToString().ToLowerInvariant()} is no element type of Hugging Face folders; they take bf16, f16, f32 or int8"),
    };

    private static void WriteJson(PendingFolder folder, string name, JsonObject json) =>
        PendingFile.WriteAll(System.IO.Path.Combine(folder.Path, name), HuggingFaceConfigJson.ToUtf8(json));
}
