using System.Text.Json;
using QApollo.Files;

namespace QApollo.Data;

/// <summary>A file's hash, and what the file looked like when it was computed.</summary>
/// <param name="Modified">UTC ticks of its last change.</param>
internal sealed record HashCacheEntry(long Length, long Modified, string Sha256);

internal sealed record HashCacheContent(int Version, Dictionary<string, HashCacheEntry> Files);

/// <summary>
/// SHA-256 of source files. Files whose length and time of change are those of an earlier run are not read again: a run on
/// a large corpus starts at once. The cache is only a convenience, so faults of its own file are passed over.
/// </summary>
internal sealed class HashCache(string folder)
{
    private const string FileName = "sources.json";
    private const int CurrentVersion = 1;
    private const long MaxBytes = 1L << 30;

    /// <summary>A change within the clock's step may leave the time as it was; FAT's step is two seconds.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(3);

    /// <summary>The hashes of the files, in order; computed on several threads.</summary>
    /// <param name="read">Told how many bytes have been hashed or found in the cache; called from several threads.</param>
    /// <exception cref="RunFailedException">A file cannot be read.</exception>
    public string[] Hash(IReadOnlyList<CorpusFile> files, int threads, Action<long> read, CancellationToken cancellation)
    {
        Dictionary<string, HashCacheEntry> known = Load();
        string?[] hashes = new string?[files.Count];
        var unknown = new List<int>();
        for (int i = 0; i < files.Count; i++)
        {
            if (known.TryGetValue(files[i].Path, out HashCacheEntry? entry)
                && entry?.Length == files[i].Length
                && entry.Modified == files[i].Modified.Ticks)
            {
                hashes[i] = entry.Sha256;
                read(entry.Length);
            }
            else
            {
                unknown.Add(i);
            }
        }

        DateTime now = DateTime.UtcNow;
        string[] computed = FileHash.Sha256(unknown.ConvertAll(i => files[i].Path), threads, read, cancellation);
        foreach ((int i, string hash) in unknown.Zip(computed))
        {
            hashes[i] = hash;
            if (now - files[i].Modified > Settled)
            {
                known[files[i].Path] = new HashCacheEntry(files[i].Length, files[i].Modified.Ticks, hash);
            }
        }

        if (unknown.Count > 0)
        {
            Save(known);
        }

        return hashes!;
    }

    private Dictionary<string, HashCacheEntry> Load()
    {
        try
        {
            byte[] json = RegularFile.ReadAllBytes(Path.Combine(folder, FileName), MaxBytes);
            return JsonSerializer.Deserialize(json, DataJson.Default.HashCacheContent) is { Version: CurrentVersion } content ? content.Files : [];
        }
        catch (Exception e) when (e is RunFailedException or IOException or UnauthorizedAccessException or JsonException)
        {
            return [];
        }
    }

    private void Save(Dictionary<string, HashCacheEntry> known)
    {
        try
        {
            Directory.CreateDirectory(folder);
            using var file = new PendingFile(Path.Combine(folder, FileName));
            file.Write(JsonSerializer.SerializeToUtf8Bytes(new HashCacheContent(CurrentVersion, known), DataJson.Default.HashCacheContent));
            file.Commit();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or RunFailedException)
        {
            // The next run computes them again.
        }
    }
}
