using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using QApollo.Files;

namespace QApollo.Checkpoints;

/// <summary>
/// One checkpoint on disk: a folder step-NNNNNN. It is written under another name and gets its own by a rename once
/// all files and, last, the record complete.json (length and SHA-256 of each) are flushed. A folder without that record is none.
/// </summary>
public static class CheckpointFolder
{
    public const string ModelFile = "model.safetensors";
    public const string OptimizerFile = "optimizer.safetensors";
    public const string StateFile = "state.json";
    public const string ConfigFile = "config.json";
    public const string CompletionFile = "complete.json";

    private const string Prefix = "step-";
    private const string PartialSuffix = ".partial";

    public static string NameOf(int step) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D6}");

    /// <summary>Complete checkpoints of a run, oldest first.</summary>
    public static IReadOnlyList<(int Step, string Path)> List(string runDirectory)
    {
        if (!Directory.Exists(runDirectory))
        {
            return [];
        }

        var found = new List<(int Step, string Path)>();
        foreach (string path in Directory.EnumerateDirectories(runDirectory, Prefix + "*"))
        {
            if (int.TryParse(Path.GetFileName(path).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int step)
                && File.Exists(Path.Combine(path, CompletionFile)))
            {
                found.Add((step, path));
            }
        }

        found.Sort();
        return found;
    }

    /// <summary>Writes a checkpoint whole or not at all.</summary>
    /// <param name="writeFiles">Writes the files into the folder it is given, each flushed to the disk.</param>
    /// <returns>The checkpoint's path.</returns>
    /// <exception cref="RunFailedException">The disk is full, read-only, or fails; nothing of the checkpoint is left.</exception>
    public static string Write(string runDirectory, int step, Action<string> writeFiles)
    {
        string path = Path.Combine(runDirectory, NameOf(step));
        string partial = path + PartialSuffix;
        try
        {
            DeleteIfThere(partial);
            Directory.CreateDirectory(partial);
            writeFiles(partial);
            WriteCompletion(partial);
            DeleteIfThere(path);
            Rename.Folder(partial, path);
            return path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or RunFailedException)
        {
            TryDelete(partial);
            string reason = exception is RunFailedException ? exception.Message : $"{path}: the checkpoint cannot be written: {exception.Message}";
            throw new RunFailedException(reason, exception);
        }
    }

    /// <summary>Deletes all but the newest checkpoints, and what killed saves left behind.</summary>
    /// <param name="keep">Checkpoints to keep, 1 or more; 0 for all.</param>
    public static void Prune(string runDirectory, int keep)
    {
        foreach (string leftover in Directory.EnumerateDirectories(runDirectory, Prefix + "*" + PartialSuffix))
        {
            TryDelete(leftover);
        }

        IReadOnlyList<(int Step, string Path)> checkpoints = List(runDirectory);
        int surplus = keep == 0 ? 0 : Math.Max(0, checkpoints.Count - keep);
        foreach ((_, string path) in checkpoints.Take(surplus))
        {
            TryRemove(path);
        }
    }

    /// <summary>Compares every file with the completion record.</summary>
    /// <exception cref="InvalidFileException">A file is missing, has another length or another checksum, or is of a newer version.</exception>
    public static void Verify(string checkpoint)
    {
        foreach ((string name, long bytes, string sha256) in ReadCompletion(Path.Combine(checkpoint, CompletionFile)))
        {
            string path = Path.Combine(checkpoint, name);
            if (!File.Exists(path))
            {
                throw new InvalidFileException(path, "is missing from the checkpoint");
            }

            (long length, string hash) = Measure(path);
            if (length != bytes)
            {
                throw new InvalidFileException(path, $"has {length} bytes, not those of its completion record: it is damaged");
            }

            if (hash != sha256)
            {
                throw new InvalidFileException(path, "does not match its checksum: it is damaged");
            }
        }
    }

    /// <exception cref="InvalidFileException">The record is broken, or of a newer version.</exception>
    private static List<(string Name, long Bytes, string Sha256)> ReadCompletion(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        JsonFile.RequireVersion(path, document.RootElement, RunState.FormatVersion);
        return JsonFile.Fields(path, () => JsonFile.Require(path, document.RootElement, "files").EnumerateObject()
            .Select(file => (
                file.Name,
                JsonFile.Require(path, file.Value, "bytes").GetInt64(),
                JsonFile.Require(path, file.Value, "sha256").GetString() ?? string.Empty))
            .ToList());
    }

    private static void WriteCompletion(string folder)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("formatVersion", RunState.FormatVersion);
            writer.WriteStartObject("files");
            foreach (string path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
            {
                (long length, string hash) = Measure(path);
                writer.WriteStartObject(Path.GetFileName(path));
                writer.WriteNumber("bytes", length);
                writer.WriteString("sha256", hash);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        PendingFile.WriteAll(Path.Combine(folder, CompletionFile), stream.ToArray());
    }

    private static (long Length, string Hash) Measure(string path)
    {
        using FileStream file = File.OpenRead(path);
        return (file.Length, Convert.ToHexStringLower(SHA256.HashData(file)));
    }

    private static void DeleteIfThere(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static void TryRemove(string checkpoint)
    {
        try
        {
            // Renamed first: a kill in the middle of the deletion must not leave a folder that looks complete.
            Rename.Folder(checkpoint, checkpoint + PartialSuffix);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Somebody reads it, on Windows, or the disk fails; the run has saved all the same, and the next save tries again.
            return;
        }

        TryDelete(checkpoint + PartialSuffix);
    }

    private static void TryDelete(string path)
    {
        try
        {
            DeleteIfThere(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Left for the next save to remove; it has no completion record, so nobody takes it for a checkpoint.
        }
    }
}
