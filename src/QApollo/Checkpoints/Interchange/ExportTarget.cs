namespace QApollo.Checkpoints.Interchange;

/// <summary>Whether an export may be written where it is asked for.</summary>
internal static class ExportTarget
{
    /// <summary>A file may be new, or replace another file.</summary>
    /// <exception cref="UsageException">The name is taken.</exception>
    public static void RequireFile(string path, bool replace)
    {
        if (Directory.Exists(path))
        {
            throw new UsageException($"--output: {path} is a folder; a GGUF export is one file: name it, such as {Path.Combine(path, "model.gguf")}");
        }

        if (File.Exists(path) && !replace)
        {
            throw new UsageException($"--output: {path} exists; --force replaces it");
        }
    }

    /// <summary>A folder may be new or empty, or replace an exported model: never a folder that holds something else.</summary>
    /// <exception cref="UsageException">The name is taken.</exception>
    public static void RequireFolder(string path, bool replace)
    {
        if (File.Exists(path))
        {
            throw new UsageException($"--output: {path} is a file; a Hugging Face export is a folder");
        }

        if (!Directory.Exists(path) || !Directory.EnumerateFileSystemEntries(path).Any())
        {
            return;
        }

        if (!replace)
        {
            throw new UsageException($"--output: {path} exists and is not empty; --force replaces an exported model");
        }

        bool isExport = ModelFolder.HasWeights(path) && !File.Exists(Path.Combine(path, CheckpointFolder.CompletionFile))
            && !Directory.EnumerateDirectories(path).Any();
        if (!isExport)
        {
            throw new UsageException($"--output: {path} holds other things than an exported model; --force does not delete them: name another folder");
        }
    }
}
