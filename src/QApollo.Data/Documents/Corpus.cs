using System.IO.Enumeration;

namespace QApollo.Data;

/// <summary>The text files that paths given by a person stand for.</summary>
public static class Corpus
{
    /// <summary>
    /// Files as given, folders with everything readable below them, sorted by path (ordinal, equal on every system). A file
    /// that several paths name counts once, at its first place. In folders, hidden files and folders, empty files and XML
    /// that is no documentation are passed over, as are a run's metrics, and links to folders are not followed. Of a folder whose
    /// file names tell splits (train and others, as Hugging Face's data sets), the files of training and of no split count.
    /// </summary>
    /// <exception cref="UsageException">A path is missing, unreadable or empty, or has a format that cannot be read.</exception>
    public static IReadOnlyList<CorpusFile> Find(IEnumerable<string> paths) => Select(paths).Text;

    /// <summary>What <see cref="Find"/> passes over because it is no text, for people: one line, or none.</summary>
    /// <inheritdoc cref="Find" path="/exception"/>
    public static IEnumerable<string> Notes(IEnumerable<string> paths) => PreparationNotes.PassedOver(Select(paths));

    /// <summary>As <see cref="Find"/>, with what it leaves out.</summary>
    internal static CorpusSelection Select(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var found = new List<CorpusFile>();
        var validation = new List<CorpusFile>();
        var leftOut = new List<CorpusFile>();
        var passedOver = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string path in paths)
        {
            try
            {
                CorpusSelection selection = Directory.Exists(path) ? InFolder(path) : new CorpusSelection([Single(path)], [], [], []);
                found.AddRange(selection.Text.Where(file => seen.Add(file.Path)));
                validation.AddRange(selection.Validation);
                leftOut.AddRange(selection.LeftOut);
                passedOver.AddRange(selection.PassedOver);
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

        validation.RemoveAll(file => !seen.Add(file.Path));
        return new CorpusSelection(found, validation, leftOut, passedOver);
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
    internal static bool HasText(string folder) => FilesBelow(Path.GetFullPath(folder), []).Any();

    private static CorpusSelection InFolder(string folder)
    {
        string root = Path.GetFullPath(folder);
        var passedOver = new List<string>();
        List<CorpusFile> found = [.. FilesBelow(root, passedOver)];
        if (found.Count == 0)
        {
            throw new UsageException($"data: {folder}: the folder has no file with text ({CorpusFile.ReadableFormats})");
        }

        found.Sort((a, b) => string.CompareOrdinal(Comparable(root, a), Comparable(root, b)));
        ILookup<CorpusSplit, CorpusFile> splits = found.ToLookup(file => CorpusSplits.Of(Comparable(root, file)));
        bool isSplit = splits[CorpusSplit.Train].Any();
        bool isDataSet = isSplit || found.Any(file => file.Format == DocumentFormat.Parquet);
        List<CorpusFile> cards = isDataSet ? found.FindAll(file => CorpusSplits.IsDataSetCard(Comparable(root, file))) : [];
        List<CorpusFile> validation = isSplit ? [.. splits[CorpusSplit.Validation]] : [];
        List<CorpusFile> leftOut = [.. isSplit ? splits[CorpusSplit.Test] : [], .. cards];
        return new CorpusSelection([.. found.Except(validation).Except(leftOut)], validation, leftOut, passedOver);
    }

    private static IEnumerable<CorpusFile> FilesBelow(string root, List<string> passedOver)
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
            if (IsMetrics(path))
            {
                continue;
            }

            if (CorpusFile.TryCreate(path) is { Length: > 0 } file
                && (file.Format != DocumentFormat.XmlDocumentation || XmlDocumentationText.IsDocumentation(file)))
            {
                yield return file;
            }
            else
            {
                passedOver.Add(path);
            }
        }
    }

    /// <summary>Whether it is what a training run writes about itself: a run may go to a folder beside its text.</summary>
    private static bool IsMetrics(string path) =>
        Path.GetFileName(path) == "metrics.jsonl" && File.Exists(Path.Combine(Path.GetDirectoryName(path)!, "run.json"));

    private static string Comparable(string root, CorpusFile file) => Path.GetRelativePath(root, file.Path).Replace('\\', '/');
}
