using System.IO.Enumeration;

namespace QApollo.Data;

/// <summary>The text files that paths given by a person stand for.</summary>
public static class Corpus
{
    /// <summary>
    /// Files as given, folders with everything readable below them, sorted by path (ordinal, equal on every system). A file
    /// that several paths name counts once, at its first place. In folders, hidden files and folders, empty files and XML
    /// that is no documentation are passed over, as are a run's metrics, and links to folders are not followed.
    /// </summary>
    /// <exception cref="UsageException">A path is missing, unreadable or empty, or has a format that cannot be read.</exception>
    public static IReadOnlyList<CorpusFile> Find(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var found = new List<CorpusFile>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string path in paths)
        {
            try
            {
                foreach (CorpusFile file in Directory.Exists(path) ? InFolder(path) : [Single(path)])
                {
                    if (seen.Add(file.Path))
                    {
                        found.Add(file);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                throw new UsageException($"data: {path}: cannot be read: {e.Message}", e);
            }
        }

        if (found.Count == 0)
        {
            throw new UsageException("data: no file or folder was given");
        }

        return found;
    }

    private static CorpusFile Single(string path)
    {
        if (!File.Exists(path))
        {
            throw new UsageException($"data: {path}: no such file or folder");
        }

        CorpusFile file = CorpusFile.TryCreate(Path.GetFullPath(path))
            ?? throw new UsageException($"data: {path}: this format cannot be read; give {CorpusFile.ReadableFormats}");
        return file.Length == 0 ? throw new UsageException($"data: {path}: the file is empty, or no regular file") : file;
    }

    /// <summary>Whether a folder has anything that <see cref="Find"/> would read.</summary>
    internal static bool HasText(string folder) => FilesBelow(Path.GetFullPath(folder)).Any();

    private static List<CorpusFile> InFolder(string folder)
    {
        string root = Path.GetFullPath(folder);
        List<CorpusFile> found = [.. FilesBelow(root)];
        if (found.Count == 0)
        {
            throw new UsageException($"data: {folder}: the folder has no file with text ({CorpusFile.ReadableFormats})");
        }

        found.Sort((a, b) => string.CompareOrdinal(Comparable(root, a), Comparable(root, b)));
        return found;
    }

    private static IEnumerable<CorpusFile> FilesBelow(string root)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            IgnoreInaccessible = false,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
        };
        var entries = new FileSystemEnumerable<string>(root, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            ShouldRecursePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        foreach (string path in entries)
        {
            if (!IsMetrics(path)
                && CorpusFile.TryCreate(path) is { Length: > 0 } file
                && (file.Format != DocumentFormat.XmlDocumentation || XmlDocumentationText.IsDocumentation(file)))
            {
                yield return file;
            }
        }
    }

    /// <summary>Whether it is what a training run writes about itself: a run may go to a folder beside its text.</summary>
    private static bool IsMetrics(string path) =>
        Path.GetFileName(path) == "metrics.jsonl" && File.Exists(Path.Combine(Path.GetDirectoryName(path)!, "run.json"));

    private static string Comparable(string root, CorpusFile file) => Path.GetRelativePath(root, file.Path).Replace('\\', '/');
}
