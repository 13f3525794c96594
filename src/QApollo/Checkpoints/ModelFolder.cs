using System.Globalization;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Devices;
using QApollo.Files;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Checkpoints;

/// <summary>
/// A model on disk: a checkpoint of this program, or a Hugging Face folder (config.json with model.safetensors, or with
/// shards and model.safetensors.index.json). Weights are F32, F16, BF16, or INT8 groups.
/// </summary>
public sealed class ModelFolder : IWeightSource, IDisposable
{
    private const int DefaultGroupSize = 128;

    private readonly SafetensorsSet _files;
    private readonly SafetensorsReader? _residuals;
    private readonly PackQuantizedConfig? _packed;
    private readonly IProgress<StageProgress>? _progress;

    /// <summary>Opens the files and compares names, shapes and types with config.json; no weight is read yet.</summary>
    /// <param name="path">The model's folder, or a run's: its newest checkpoint is taken.</param>
    /// <param name="progress">Told of the checking now, and of every <see cref="Load"/>.</param>
    /// <exception cref="UsageException">There is no model, or its config.json cannot be used.</exception>
    /// <exception cref="InvalidFileException">A tensor is missing or has another shape; a checkpoint does not match its checksums, or has none.</exception>
    public ModelFolder(string path, IProgress<StageProgress>? progress = null)
        : this(path, isVerified: false, progress)
    {
    }

    /// <param name="isVerified">The checksums have been compared already.</param>
    private ModelFolder(string path, bool isVerified, IProgress<StageProgress>? progress)
    {
        _progress = progress;
        Path = Find(path);
        if (!HasWeights(Path))
        {
            RefuseOtherWeights(Path);
            throw new UsageException($"{Path}: holds no {CheckpointFolder.ModelFile}, nor the index of one in shards");
        }

        Config = LlamaConfigJson.Read(System.IO.Path.Combine(Path, CheckpointFolder.ConfigFile));
        if (File.Exists(System.IO.Path.Combine(Path, CheckpointFolder.CompletionFile)))
        {
            if (!isVerified)
            {
                Verify(path);
            }

            State = RunState.Read(System.IO.Path.Combine(Path, CheckpointFolder.StateFile));
        }
        else if (File.Exists(System.IO.Path.Combine(Path, CheckpointFolder.StateFile)))
        {
            throw new InvalidFileException(Path, $"is a checkpoint without its {CheckpointFolder.CompletionFile}: its save did not end, or the file was lost");
        }

        _packed = PackQuantizedConfig.Read(System.IO.Path.Combine(Path, CheckpointFolder.ConfigFile));
        _files = new SafetensorsSet(Path);
        try
        {
            string residuals = System.IO.Path.Combine(Path, TrainedWeightsFile.ResidualFile);
            _residuals = State is not null && File.Exists(residuals) ? new SafetensorsReader(residuals) : null;
            Formats = StoredFormats();
            Check();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A checkpoint whose checksums have been compared.</summary>
    /// <inheritdoc cref="ModelFolder(string, IProgress{StageProgress})" path="/exception"/>
    internal static ModelFolder OfVerified(string checkpoint, IProgress<StageProgress>? progress = null) => new(checkpoint, isVerified: true, progress);

    public string Path { get; }

    public LlamaConfig Config { get; }

    /// <summary>The formats that keep the weights as they are stored; F16 becomes F32.</summary>
    public WeightFormats Formats { get; }

    /// <summary>Of the run that saved the checkpoint; null for a model from elsewhere.</summary>
    public RunState? State { get; }

    /// <summary>The folder itself, or the newest checkpoint where it is that of a run.</summary>
    /// <exception cref="UsageException">It is no folder.</exception>
    public static string Find(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new UsageException($"{path}: no such folder; name a run's folder, one of its checkpoints, or a Hugging Face model");
        }

        IReadOnlyList<(int Step, string Path)> checkpoints = CheckpointFolder.List(path);
        return HasWeights(path) || checkpoints.Count == 0 ? path : checkpoints[^1].Path;
    }

    public static bool HasWeights(string folder) =>
        File.Exists(System.IO.Path.Combine(folder, CheckpointFolder.ModelFile)) || File.Exists(System.IO.Path.Combine(folder, SafetensorsSet.IndexFile));

    /// <summary>
    /// Brings the weights to the device, layer by layer. INT8 groups that stay INT8 of the same size are copied as they
    /// are, with residual bits where both sides have them; everything else passes through the staging buffer into the format that is wanted.
    /// </summary>
    /// <param name="weights">Of a model of <see cref="Config"/>'s shape.</param>
    /// <param name="compare">Tell what is lost where weights are quantized on the way.</param>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public QuantizationError Load(IDevice device, ModelWeights weights, WeightStaging staging, bool compare = false)
    {
        var error = new QuantizationError();
        long done = 0;
        foreach (Weight weight in weights.All)
        {
            _progress?.Report(new StageProgress("reading weights", done, Config.ParameterCount));
            done += weight.Parameter.Elements;
            StoredWeight stored = Find(weight.Parameter);
            bool sameGroups = stored.IsQuantized && weight.Scales is not null && HasGroupsFor(stored, weight);
            if (sameGroups && HasResidualsFor(stored, weight))
            {
                stored.Copy(device, weights.Store, weight);
            }
            else
            {
                error += staging.Load(device, weight, stored.ReadRows, compare);
            }
        }

        _progress?.Report(new StageProgress("reading weights", Config.ParameterCount, Config.ParameterCount));
        return error;
    }

    /// <summary>Copies the weights of a run that goes on: every byte as it was saved.</summary>
    /// <exception cref="UsageException">They are stored in other formats than those of the run.</exception>
    internal void Restore(IDevice device, ModelWeights weights)
    {
        long done = 0;
        foreach (Weight weight in weights.All)
        {
            _progress?.Report(new StageProgress("reading weights", done, Config.ParameterCount));
            done += weight.Parameter.Elements;
            StoredWeight stored = Find(weight.Parameter);
            string? difference = Difference(stored, weight);
            if (difference is not null)
            {
                throw new UsageException($"{stored.Path}: {difference}: resume with the weight formats and optimizers of the run that was saved");
            }

            if (stored.IsQuantized)
            {
                stored.Copy(device, weights.Store, weight);
            }
            else
            {
                stored.CopyDense(device, weights.Store, weight);
            }
        }

        _progress?.Report(new StageProgress("reading weights", Config.ParameterCount, Config.ParameterCount));
    }

    /// <summary>Whether residual bits are stored for a parameter.</summary>
    internal bool HasResiduals(Parameter parameter) => Find(parameter).ResidualBits != 0;

    private static bool HasGroupsFor(StoredWeight stored, Weight weight) => weight.GroupSize == stored.GroupSize
        && (weight.ZeroPointRule == ZeroPointRule.Asymmetric || stored.Groups!.ZeroPointRule == ZeroPointRule.Symmetric);

    private static bool HasResidualsFor(StoredWeight stored, Weight weight) =>
        stored.ResidualBits == 0 || weight.Residuals is null || weight.ResidualBits == stored.ResidualBits;

    /// <summary>Null where the weight can be restored byte for byte.</summary>
    private static string? Difference(StoredWeight stored, Weight weight)
    {
        string name = weight.Parameter.Name;
        string saved = stored.Groups is { } groups ? Groups(groups.GroupSize, groups.ZeroPointRule) : stored.DenseType;
        string wanted = weight.Scales is null
            ? ((Tensor)weight.Values).DType.ToString()
            : Groups(weight.GroupSize, weight.ZeroPointRule);
        return saved != wanted ? $"{name} is stored as {saved}, but this run needs {wanted}"
            : !HasResidualsFor(stored, weight) ? $"{name}{Weight.ResidualSuffix} has {stored.ResidualBits} bits, but this run needs {weight.ResidualBits}"
            : null;
    }

    private static string Groups(int size, ZeroPointRule rule) =>
        $"INT8 groups of {size}{(rule == ZeroPointRule.Symmetric ? ", symmetric" : string.Empty)}";

    void IWeightSource.Load(IDevice device, ModelWeights weights, WeightStaging staging) => Load(device, weights, staging);

    /// <summary>Refuses a folder whose weights are in files of other kinds, and says where to take them from.</summary>
    /// <exception cref="UsageException">It has some, and none as safetensors.</exception>
    public static void RefuseOtherWeights(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder).Select(System.IO.Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal))
        {
            string extension = System.IO.Path.GetExtension(file).ToUpperInvariant();
            if (extension is ".PTH" or ".PT" or ".CKPT" || (extension == ".BIN" && file.StartsWith("pytorch_model", StringComparison.Ordinal)))
            {
                throw new UsageException(
                    $"{folder}: its weights are pickled ({file}), and unpickling can run any code: take the model's safetensors, or write them where you "
                    + "trust the file, with save_pretrained(..., safe_serialization=True) of transformers");
            }

            if (extension == ".GGUF")
            {
                throw new UsageException($"{folder}: its weights are GGUF ({file}), which is for running a model: take the safetensors that it was made of");
            }
        }
    }

    public void Dispose()
    {
        _files.Dispose();
        _residuals?.Dispose();
    }

    /// <exception cref="InvalidFileException">The checkpoint is damaged; the message names an older one of the run, if there is one.</exception>
    private void Verify(string given)
    {
        try
        {
            CheckpointFolder.Verify(Path, _progress);
        }
        catch (InvalidFileException exception) when (given != Path)
        {
            throw CheckpointFolder.WithOlder(exception, CheckpointFolder.List(given), older => $"{older} is whole: name that one");
        }
    }

    private WeightFormats StoredFormats()
    {
        IReadOnlyList<Parameter> table = ParameterTable.Of(Config);
        Parameter matrix = table.First(parameter => parameter.IsMatrix);
        StoredWeight stored = Find(matrix);
        return new WeightFormats(stored.Format, Find(table[0]).Format, stored.IsQuantized ? stored.GroupSize : DefaultGroupSize)
        {
            ZeroPoints = stored.Groups?.ZeroPointRule ?? ZeroPointRule.Asymmetric,
        };
    }

    /// <summary>A parameter's tensors in the files.</summary>
    /// <exception cref="InvalidFileException">They are not there.</exception>
    internal StoredWeight Find(Parameter parameter)
    {
        if (_packed is not null && _files.TryFind(StoredGroups.PackedName(parameter.Name)) is (SafetensorsReader packedReader, SafetensorsEntry packed))
        {
            return new StoredWeight(parameter, packedReader, packed, new StoredGroups(parameter, _files, (packedReader, packed), _packed.GroupSize, _packed.IsSymmetric))
            {
                Residuals = FindResiduals(parameter, packedReader),
            };
        }

        (SafetensorsReader reader, SafetensorsEntry entry) = _files.Find(parameter.Name);
        if (entry.DType != SafetensorsDType.U8)
        {
            return new StoredWeight(parameter, reader, entry);
        }

        if (!reader.Metadata.TryGetValue(TrainedWeightsFile.GroupSizeKey, out string? text)
            || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int groupSize)
            || groupSize is not (32 or 64 or 128 or 256))
        {
            throw new InvalidFileException(reader.Path, $"holds {entry}, but says no {TrainedWeightsFile.GroupSizeKey} of 32, 64, 128 or 256 in its metadata");
        }

        return new StoredWeight(parameter, reader, entry, new StoredGroups(parameter, _files, (reader, entry), groupSize))
        {
            Residuals = FindResiduals(parameter, reader),
        };
    }

    /// <summary>In their own file; earlier versions wrote them beside the codes.</summary>
    private (SafetensorsReader Reader, SafetensorsEntry Entry)? FindResiduals(Parameter parameter, SafetensorsReader codes)
    {
        string name = parameter.Name + Weight.ResidualSuffix;
        return _residuals?.TryFind(name) is { } own ? (_residuals, own) : codes.TryFind(name) is { } beside ? (codes, beside) : null;
    }

    /// <summary>All parameters are there with the right shapes, and nothing is there that the model has no place for.</summary>
    private void Check()
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (Parameter parameter in ParameterTable.Of(Config))
        {
            StoredWeight stored = Find(parameter);
            stored.Check();
            known.Add(parameter.Name);
            if (stored.IsQuantized)
            {
                known.UnionWith(StoredGroups.Names(parameter.Name));
                known.Add(parameter.Name + Weight.ResidualSuffix);
            }
        }

        IEnumerable<(SafetensorsReader, SafetensorsEntry)> residuals = _residuals?.Entries.Select(entry => (_residuals, entry)) ?? [];
        foreach ((SafetensorsReader reader, SafetensorsEntry entry) in _files.All.Concat(residuals))
        {
            // A tied head and the rotary frequencies are copies of what is known anyway.
            bool isCopy = entry.Name == "lm_head.weight" || entry.Name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);
            if (!isCopy && !known.Contains(entry.Name))
            {
                throw new InvalidFileException(reader.Path, $"holds {entry}, for which the model of {CheckpointFolder.ConfigFile} has no place");
            }
        }
    }
}
