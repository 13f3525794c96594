using System.Runtime.InteropServices;
using System.Text.Json;
using QApollo.Checkpoints;

namespace QApollo.TestSupport.Goldens;

/// <summary>Tensors of a golden set and the manifest that describes them.</summary>
public sealed class GoldenFile : IDisposable
{
    private readonly SafetensorsReader reader;
    private readonly JsonDocument manifest;

    /// <param name="name">
    /// A set beside its manifest ("apollo_mini"), or a file of a set in a folder of its own
    /// ("llama_train_apollo_mini/run"); without extension, relative to <see cref="GoldenFolder.Path"/>.
    /// </param>
    public GoldenFile(string name)
    {
        Name = name;
        string path = GoldenFolder.Locate(name);
        string beside = path + ".json";
        manifest = JsonDocument.Parse(File.ReadAllBytes(File.Exists(beside) ? beside : Path.Combine(Path.GetDirectoryName(path)!, "manifest.json")));
        reader = new SafetensorsReader(path + ".safetensors");
    }

    public string Name { get; }

    public JsonElement Manifest => manifest.RootElement;

    public IEnumerable<string> TensorNames => reader.Entries.Select(entry => entry.Name);

    public bool Contains(string tensor) => reader.TryFind(tensor) is not null;

    public int[] Shape(string tensor) => [.. reader.Find(tensor).Shape.Select(extent => checked((int)extent))];

    public float[] Floats(string tensor) => Read<float>(tensor, SafetensorsDType.F32);

    public byte[] Bytes(string tensor) => Read<byte>(tensor, SafetensorsDType.U8);

    public long[] Longs(string tensor) => Read<long>(tensor, SafetensorsDType.I64);

    /// <summary>A tensor [T, ...] as T arrays: one per update.</summary>
    public float[][] FloatsPerUpdate(string tensor) => Split(Floats(tensor), Shape(tensor)[0]);

    /// <inheritdoc cref="FloatsPerUpdate"/>
    public byte[][] BytesPerUpdate(string tensor) => Split(Bytes(tensor), Shape(tensor)[0]);

    /// <inheritdoc cref="FloatsPerUpdate"/>
    public long[][] LongsPerUpdate(string tensor) => Split(Longs(tensor), Shape(tensor)[0]);

    /// <summary>The run of that name in the manifest's list "runs".</summary>
    public JsonElement Run(string run) =>
        Manifest.GetProperty("runs").EnumerateArray().Single(element => element.GetProperty("name").ValueEquals(run));

    public void Dispose()
    {
        reader.Dispose();
        manifest.Dispose();
    }

    private T[] Read<T>(string tensor, SafetensorsDType dtype)
        where T : unmanaged
    {
        SafetensorsEntry entry = reader.Find(tensor);
        if (entry.DType != dtype)
        {
            throw new InvalidFileException(reader.Path, $"{entry} is not {dtype.FormatName()}");
        }

        T[] values = new T[checked((int)entry.Elements)];
        reader.Read(entry, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static T[][] Split<T>(T[] values, int parts) => [.. values.Chunk(values.Length / parts)];
}
