using QApollo.Files;

namespace QApollo.Data;

/// <summary>A dataset of the cache.</summary>
/// <param name="Used">When a run last read or wrote it, in UTC.</param>
/// <param name="Manifest">Null for one that is unfinished or damaged.</param>
/// <param name="IsHeld">A process prepares it now.</param>
public sealed record CachedDataset(string Folder, long Bytes, DateTime Used, DatasetManifest? Manifest, bool IsHeld);

/// <summary>
/// The folder where prepared datasets are kept. It holds what can be made again from text; what was not used for longest goes first.
/// Only folders that preparation made are counted or removed.
/// </summary>
/// <param name="folder">As <see cref="PreparationOptions.CacheFolder"/>.</param>
public sealed class DatasetCache(string folder)
{
    /// <summary>Hexadecimal digits of a dataset's key, which its folder is named by.</summary>
    private const int KeyDigits = 32;

    /// <summary>What was used in this time stays when room is made: another run may read it.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromDays(1);

    /// <summary>All datasets, that which was used last first.</summary>
    /// <exception cref="RunFailedException">The folder cannot be read.</exception>
    public IReadOnlyList<CachedDataset> List()
    {
        try
        {
            IEnumerable<string> folders = Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Where(IsDataset) : [];
            return [.. folders.Select(Read).OrderByDescending(dataset => dataset.Used).ThenBy(dataset => dataset.Folder, StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Removes the datasets that were not used for longest, until the others have at most so many bytes; never one that is being prepared.</summary>
    /// <returns>The datasets that are gone.</returns>
    /// <exception cref="RunFailedException">The folder cannot be read.</exception>
    public IReadOnlyList<CachedDataset> Clean(long maxBytes) => Remove(maxBytes, DateTime.MaxValue);

    /// <summary>As <see cref="Clean"/>, but what was used in the last day stays.</summary>
    internal IReadOnlyList<CachedDataset> MakeRoom(long maxBytes) => Remove(maxBytes, DateTime.UtcNow - Recent);

    /// <summary>Notes that a dataset is used; a folder elsewhere, or one that may not be written, stays as it is.</summary>
    internal void Touch(string dataset)
    {
        try
        {
            if (Path.GetFullPath(folder) == Path.GetDirectoryName(Path.GetFullPath(dataset)))
            {
                Directory.SetLastWriteTimeUtc(dataset, DateTime.UtcNow);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It will look older than it is.
        }
    }

    private static bool IsDataset(string path) =>
        Path.GetFileName(path) is { Length: KeyDigits } name && name.All(char.IsAsciiHexDigitLower)
        && new DirectoryInfo(path).LinkTarget is null
        && (DatasetManifestFile.Exists(path) || File.Exists(Path.Combine(path, PreparationState.FileName)));

    private static CachedDataset Read(string path)
    {
        DatasetManifest? manifest = null;
        try
        {
            manifest = DatasetManifestFile.Exists(path) ? DatasetManifestFile.Read(path) : null;
        }
        catch (RunFailedException)
        {
            // Damaged: it takes room all the same.
        }

        bool isHeld = FolderLock.IsHeld(path);
        long bytes = new DirectoryInfo(path).EnumerateFiles().Sum(file => file.Length);
        return new CachedDataset(path, bytes, Directory.GetLastWriteTimeUtc(path), manifest, isHeld);
    }

    private List<CachedDataset> Remove(long maxBytes, DateTime usedBefore)
    {
        IReadOnlyList<CachedDataset> datasets = List();
        long bytes = datasets.Sum(dataset => dataset.Bytes);
        var removed = new List<CachedDataset>();
        foreach (CachedDataset dataset in datasets.Reverse().Where(dataset => !dataset.IsHeld && dataset.Used < usedBefore))
        {
            if (bytes > maxBytes && TryRemove(dataset.Folder))
            {
                bytes -= dataset.Bytes;
                removed.Add(dataset);
            }
        }

        return removed;
    }

    private static bool TryRemove(string dataset)
    {
        try
        {
            // First what makes it a dataset: one of which half is gone must not be taken for whole.
            File.Delete(Path.Combine(dataset, DatasetManifest.FileName));
            Directory.Delete(dataset, recursive: true);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
