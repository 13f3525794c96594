using QApollo.Files;

namespace QApollo.Checkpoints.Interchange;

/// <summary>Whether an export may be written where it is asked for: it never deletes what is no export.</summary>
internal static class ExportTarget
{
    /// <summary>What an exported folder can hold besides its weights.</summary>
    private static readonly HashSet<string> Written = new([CheckpointFolder.ConfigFile, .. ExportFolders.ModelFiles], StringComparer.Ordinal);

    /// <summary>A file may be new, or replace another GGUF file.</summary>
    /// <exception cref="UsageException">The name is taken.</exception>
    public static void RequireFile(string path, bool replace)
    {
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
        {
            throw new UsageException($"--output: {path} is a folder; a GGUF export is one file: name it, such as {Path.Combine(path, "model.gguf")}");
        }

        if (!File.Exists(path))
        {
            return;
        }

        if (!replace)
        {
            throw new UsageException($"--output: {path} exists; --force replaces it");
        }

        // A dangling link, a device and an empty file hold nothing that says what they are.
        if (!IsGguf(path))
        {
            throw new UsageException($"--output: {path} is no GGUF file; --force does not replace others: name another file");
        }
    }

    /// <summary>A folder may be new or empty, or replace an exported model: never a folder that holds something else.</summary>
    /// <param name="source">The folder that the model is read from.</param>
    /// <exception cref="UsageException">The name is taken, or a name that is needed beside it.</exception>
    public static void RequireFolder(string path, string source, bool replace)
    {
        if (File.Exists(path))
        {
            throw new UsageException($"--output: {path} is a file; a Hugging Face export is a folder");
        }

        foreach (string beside in PendingFolder.NamesBeside(path).Where(Directory.Exists))
        {
            if (!HoldsOnlyAnExport(beside))
            {
                throw new UsageException($"--output: {beside} holds other things than an export that did not end, and its name is needed: move it, or name another folder");
            }
        }

        if (!Directory.Exists(path) || !Directory.EnumerateFileSystemEntries(path).Any())
        {
            return;
        }

        if (!replace)
        {
            throw new UsageException($"--output: {path} exists and is not empty; --force replaces an exported model");
        }

        if (Resolved(path) == Resolved(source))
        {
            throw new UsageException($"--output: {path} is the model that is exported; name another folder");
        }

        if (!ModelFolder.HasWeights(path) || !HoldsOnlyAnExport(path))
        {
            throw new UsageException($"--output: {path} holds other things than an exported model; --force does not delete them: name another folder");
        }
    }

    /// <summary>Weights, and what is written beside them; also when some of it is missing or unfinished.</summary>
    private static bool HoldsOnlyAnExport(string folder) =>
        !Directory.EnumerateDirectories(folder).Any()
        && Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)).Select(WithoutSuffix).All(
            name => Written.Contains(name) || (name.StartsWith("model", StringComparison.Ordinal) && name.EndsWith(".safetensors", StringComparison.Ordinal)));

    /// <summary>A file that was being written when an export was killed has another name.</summary>
    private static string WithoutSuffix(string name) => name.EndsWith(PendingFile.Suffix, StringComparison.Ordinal) ? name[..^PendingFile.Suffix.Length] : name;

    private static bool IsGguf(string path)
    {
        if (RegularFile.LengthOf(path) < sizeof(uint))
        {
            return false;
        }

        var magic = new byte[sizeof(uint)];
        using FileStream file = RegularFile.OpenRead(path);
        file.ReadExactly(magic);
        return magic.AsSpan().SequenceEqual("GGUF"u8);
    }

    /// <summary>The full path, with all links on the way followed.</summary>
    private static string Resolved(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } parent)
        {
            return full;
        }

        string here = Path.Combine(Resolved(parent), Path.GetFileName(full));
        return new DirectoryInfo(here).ResolveLinkTarget(returnFinalTarget: true) is { } target ? Resolved(target.FullName) : here;
    }
}
