using System.Text.Json;
using QApollo.Files;

namespace QApollo.Checkpoints;

/// <summary>The tensors of a model's folder: of model.safetensors, or of the shards that model.safetensors.index.json names.</summary>
internal sealed class SafetensorsSet : IDisposable
{
    public const string IndexFile = "model.safetensors.index.json";

    private readonly string _source;
    private readonly List<SafetensorsReader> _readers = [];
    private readonly Dictionary<string, (SafetensorsReader Reader, SafetensorsEntry Entry)> _byName = new(StringComparer.Ordinal);

    /// <exception cref="InvalidFileException">A file is broken, or the index names a file or a tensor that is not there.</exception>
    public SafetensorsSet(string folder)
    {
        try
        {
            string single = Path.Combine(folder, CheckpointFolder.ModelFile);
            _source = File.Exists(single) ? single : Path.Combine(folder, IndexFile);
            if (_source == single)
            {
                Add(Open(single), only: null);
            }
            else
            {
                OpenShards(folder);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IEnumerable<(SafetensorsReader Reader, SafetensorsEntry Entry)> All => _byName.Values;

    /// <exception cref="InvalidFileException">There is no tensor of that name.</exception>
    public (SafetensorsReader Reader, SafetensorsEntry Entry) Find(string name) =>
        _byName.TryGetValue(name, out (SafetensorsReader, SafetensorsEntry) found)
            ? found
            : throw new InvalidFileException(_source, $"has no tensor '{name}', which the model of {CheckpointFolder.ConfigFile} needs");

    public (SafetensorsReader Reader, SafetensorsEntry Entry)? TryFind(string name) =>
        _byName.TryGetValue(name, out (SafetensorsReader, SafetensorsEntry) found) ? found : null;

    public void Dispose() => _readers.ForEach(reader => reader.Dispose());

    private void OpenShards(string folder)
    {
        using JsonDocument index = JsonFile.Read(_source);
        JsonElement map = JsonFile.Require(_source, index.RootElement, "weight_map");
        if (map.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidFileException(_source, "weight_map is no object of tensor names and files");
        }

        var shards = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (JsonProperty tensor in map.EnumerateObject())
        {
            string? file = tensor.Value.ValueKind == JsonValueKind.String ? tensor.Value.GetString() : null;
            if (string.IsNullOrEmpty(file) || file != Path.GetFileName(file) || file is "." or "..")
            {
                throw new InvalidFileException(_source, $"weight_map gives '{SafetensorsHeaderParser.Shown(tensor.Name)}' no plain file name");
            }

            if (!shards.TryGetValue(file, out HashSet<string>? names))
            {
                shards[file] = names = new HashSet<string>(StringComparer.Ordinal);
            }

            names.Add(tensor.Name);
        }

        foreach ((string file, HashSet<string> names) in shards)
        {
            SafetensorsReader reader = Open(Path.Combine(folder, file));
            Add(reader, names);
            foreach (string name in names)
            {
                reader.Find(name);
            }
        }
    }

    private SafetensorsReader Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new InvalidFileException(path, $"is missing, but {Path.GetFileName(_source)} names it");
        }

        var reader = new SafetensorsReader(path);
        _readers.Add(reader);
        return reader;
    }

    /// <param name="only">The tensors to take from the file; null for all.</param>
    private void Add(SafetensorsReader reader, HashSet<string>? only)
    {
        foreach (SafetensorsEntry entry in reader.Entries)
        {
            if (only is null || only.Contains(entry.Name))
            {
                _byName[entry.Name] = (reader, entry);
            }
        }
    }
}
