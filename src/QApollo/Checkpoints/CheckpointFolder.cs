using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using QApollo.Checkpoints.Interchange;
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

    /// <summary>Beside a partial folder, held by the process that fills or removes it.</summary>
    private const string LockSuffix = ".lock";

    private const int PieceBytes = 1 << 20;

    /// <summary>Of the record; version 1 named only <see cref="Files"/>.</summary>
    private const int FormatVersion = 2;

    /// <summary>The files that every checkpoint has, and its record names.</summary>
    private static readonly string[] Files = [ConfigFile, ModelFile, OptimizerFile, StateFile];

    /// <summary>What may lie beside them, and is in the record then: residual bits, and what makes the folder a model for others.</summary>
    private static readonly string[] OptionalFiles = [TrainedWeightsFile.ResidualFile, .. ExportFolders.ModelFiles];

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
        FileLock? held = null;
        try
        {
            held = FileLock.TryTake(partial + LockSuffix) ?? throw new RunFailedException($"{path}: another process writes this checkpoint");
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
            if (held is not null)
            {
                TryDelete(partial);
            }

            string reason = exception is RunFailedException ? exception.Message : $"{path}: the checkpoint cannot be written: {exception.Message}";
            throw new RunFailedException(reason, exception);
        }
        finally
        {
            held?.Dispose();
        }
    }

    /// <summary>Deletes all but the newest checkpoints, and what killed saves left behind; never what another process still writes.</summary>
    /// <param name="keep">Checkpoints to keep, 1 or more; 0 for all.</param>
    /// <param name="alsoKeep">A step whose checkpoint stays beside them.</param>
    public static void Prune(string runDirectory, int keep, int? alsoKeep = null)
    {
        RemoveLeftovers(runDirectory);
        IReadOnlyList<(int Step, string Path)> checkpoints = List(runDirectory);
        int surplus = keep == 0 ? 0 : Math.Max(0, checkpoints.Count - keep);
        foreach ((_, string path) in checkpoints.Take(surplus).Where(checkpoint => checkpoint.Step != alsoKeep))
        {
            TryRemove(path);
        }
    }

    /// <summary>Deletes what killed or failed saves left behind, as far as it can be; never what another process still writes.</summary>
    public static void RemoveLeftovers(string runDirectory)
    {
        foreach (string leftover in Directory.EnumerateFileSystemEntries(runDirectory, Prefix + "*" + PartialSuffix + "*"))
        {
            string partial = leftover.EndsWith(LockSuffix, StringComparison.Ordinal) ? leftover[..^LockSuffix.Length] : leftover;
            UnderLock(partial, () => DeleteIfThere(partial));
        }
    }

    /// <summary>Compares every file with the completion record.</summary>
    /// <exception cref="InvalidFileException">A file is missing, has another length or another checksum, or the record is broken or of a newer version.</exception>
    /// <exception cref="RunFailedException">A file cannot be read, or is no regular one.</exception>
    public static void Verify(string checkpoint, IProgress<StageProgress>? progress = null)
    {
        string record = Path.Combine(checkpoint, CompletionFile);
        Dictionary<string, (long Bytes, string Sha256)> files = ReadCompletion(record);
        foreach (string name in Files.Union(files.Keys))
        {
            if (!files.TryGetValue(name, out (long Bytes, string Sha256) recorded))
            {
                throw new InvalidFileException(record, $"has no entry for {name}: it is damaged");
            }

            VerifyFile(Path.Combine(checkpoint, name), recorded.Bytes, recorded.Sha256, progress);
        }
    }

    /// <summary>The error of the newest checkpoint, with the newest of the older ones that is whole.</summary>
    /// <param name="checkpoints">Of <see cref="List"/>.</param>
    /// <param name="offer">What to do, for the older checkpoint's path.</param>
    public static InvalidFileException WithOlder(
        InvalidFileException exception, IReadOnlyList<(int Step, string Path)> checkpoints, Func<string, string> offer)
    {
        foreach ((_, string older) in checkpoints.SkipLast(1).Reverse())
        {
            try
            {
                Verify(older);
                return new InvalidFileException($"{exception.Message}; {offer(older)}", exception);
            }
            catch (RunFailedException)
            {
                // Damaged too.
            }
        }

        return exception;
    }

    private static void VerifyFile(string path, long bytes, string sha256, IProgress<StageProgress>? progress)
    {
        if (!File.Exists(path))
        {
            throw new InvalidFileException(path, "is missing from the checkpoint");
        }

        try
        {
            using FileStream file = RegularFile.OpenRead(path);
            if (file.Length != bytes)
            {
                throw new InvalidFileException(path, $"has {file.Length} bytes, not those of its completion record: it is damaged");
            }

            if (Sha256Of(file, progress) != sha256)
            {
                throw new InvalidFileException(path, "does not match its checksum: it is damaged");
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    private static string Sha256Of(FileStream file, IProgress<StageProgress>? progress)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[PieceBytes];
        long total = file.Length;
        string stage = $"checking {Path.GetFileName(file.Name)}";
        for (long done = 0; file.Read(piece) is > 0 and int read; done += read)
        {
            progress?.Report(new StageProgress(stage, done, total));
            hash.AppendData(piece, 0, read);
        }

        progress?.Report(new StageProgress(stage, total, total));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <exception cref="InvalidFileException">The record is broken, of a newer version, or names what is no file of a checkpoint.</exception>
    private static Dictionary<string, (long Bytes, string Sha256)> ReadCompletion(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        JsonFile.RequireVersion(path, document.RootElement, FormatVersion);
        return JsonFile.Fields(path, () =>
        {
            var files = new Dictionary<string, (long, string)>(StringComparer.Ordinal);
            foreach (JsonProperty file in JsonFile.Require(path, document.RootElement, "files").EnumerateObject())
            {
                long bytes = JsonFile.Require(path, file.Value, "bytes").GetInt64();
                string sha256 = JsonFile.Require(path, file.Value, "sha256").GetString() ?? string.Empty;
                if (!(Files.Contains(file.Name) || OptionalFiles.Contains(file.Name)) || !files.TryAdd(file.Name, (bytes, sha256)))
                {
                    throw new InvalidFileException(path, $"names other files than those of a checkpoint, once each: it is damaged");
                }
            }

            return files;
        });
    }

    private static void WriteCompletion(string folder)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("formatVersion", FormatVersion);
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
        using FileStream file = RegularFile.OpenRead(path);
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
        string partial = checkpoint + PartialSuffix;
        UnderLock(partial, () =>
        {
            // Renamed first: a kill in the middle of the deletion must not leave a folder that looks complete.
            Rename.Folder(checkpoint, partial);
            DeleteIfThere(partial);
        });
    }

    /// <summary>Removes what is in the way, unless another process works on it or the disk fails: the next save tries again.</summary>
    private static void UnderLock(string partial, Action remove)
    {
        try
        {
            using FileLock? held = FileLock.TryTake(partial + LockSuffix);
            if (held is not null)
            {
                remove();
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The run has saved all the same. Without a completion record nobody takes what is left for a checkpoint.
        }
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
