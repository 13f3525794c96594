using System.Text;
using QApollo.Data.Tokenizers;

namespace QApollo.Data.Tests.Preparation;

/// <summary>A folder with text, a cache folder, and short ways to prepare and look at what came out.</summary>
internal sealed class PreparationFixture : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public PreparationOptions Options => new()
    {
        Data = [Text],
        CacheFolder = Cache,
        Threads = 2,
        HeldOutFraction = 0,
        SaveInterval = TimeSpan.Zero,
    };

    public string Text => _folder.File("text");

    public string Cache => _folder.File("cache");

    /// <summary>The only dataset in the cache.</summary>
    public string Dataset => Xunit.Assert.Single(Directory.GetDirectories(Cache));

    public string File(string name) => _folder.File(name);

    public string Write(string name, string text) => _folder.Write("text/" + name, text);

    public string Write(string name, ReadOnlySpan<byte> bytes) => _folder.Write("text/" + name, bytes);

    /// <summary>As many documents as wanted, each different, with lengths from a few bytes to a kilobyte.</summary>
    public void WriteDocuments(string name, int count) =>
        Write(name, string.Concat(Documents(count).Select(text => $"{{\"text\":\"{text}\"}}\n")));

    public static IEnumerable<string> Documents(int count) =>
        Enumerable.Range(0, count).Select(i => $"Document {i}: {new string((char)('a' + (i % 26)), 1 + (i * 7919 % 1000))}");

    public PreparedData Prepare(PreparationOptions? options = null, ITokenizer? tokenizer = null, IProgress<PreparationProgress>? progress = null, CancellationToken cancellation = default) =>
        CorpusPreparation.Prepare(options ?? Options, tokenizer ?? new ByteTokenizer(), progress, cancellation);

    /// <summary>Prepares and gives back the files' bytes by name.</summary>
    public SortedDictionary<string, byte[]> Shards(PreparationOptions options, ITokenizer? tokenizer = null, IProgress<PreparationProgress>? progress = null)
    {
        using PreparedData data = Prepare(options, tokenizer, progress);
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string path in Directory.GetFiles(data.Folder!))
        {
            files.Add(Path.GetFileName(path), System.IO.File.ReadAllBytes(path));
        }

        return files;
    }

    public static int[] Tokens(TokenDataset? dataset)
    {
        int[] ids = new int[dataset?.Count ?? 0];
        dataset?.Read(0, ids);
        return ids;
    }

    /// <summary>The documents of a dataset of bytes.</summary>
    public static string[] Documents(TokenDataset? dataset) =>
        Encoding.Latin1.GetString([.. Tokens(dataset).Select(id => id == 256 ? (byte)0 : (byte)id)]).Split('\0', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose() => _folder.Dispose();
}

/// <summary>Calls back on the reporting thread.</summary>
internal sealed class ProgressCallback(Action<PreparationProgress> action) : IProgress<PreparationProgress>
{
    void IProgress<PreparationProgress>.Report(PreparationProgress value) => action(value);
}
