using System.Globalization;
using System.Text.Json;

namespace QApollo.Files;

/// <summary>
/// Keeps a folder to one process: a file that is open to nobody else, and beside it a record of who holds it. One that a
/// killed process left behind is no obstacle.
/// </summary>
public sealed class FolderLock : IDisposable
{
    private const string LockFile = "lock";
    private const string HolderFile = "lock.json";

    private readonly string _folder;
    private readonly FileLock _lock;
    private readonly bool _madeFolder;
    private bool _isReleased;

    private FolderLock(string folder, FileLock taken, bool madeFolder) => (_folder, _lock, _madeFolder) = (folder, taken, madeFolder);

    /// <summary>Takes the folder, which is made where there is none; one that nothing was put into is removed again at the end.</summary>
    /// <param name="work">What the holder does there, for the message to others: "training".</param>
    /// <exception cref="RunFailedException">Another process has it (the message says which, where, and since when), or it cannot be written.</exception>
    public static FolderLock Take(string folder, string work)
    {
        bool isNew = !Directory.Exists(folder);
        try
        {
            Directory.CreateDirectory(folder);
            FileLock held = FileLock.TryTake(Path.Combine(folder, LockFile))
                ?? throw new RunFailedException($"{folder}: {Holder(folder)} is at work there: wait until it has ended, or name another folder");
            var taken = new FolderLock(folder, held, isNew);
            try
            {
                taken.WriteHolder(work);
                return taken;
            }
            catch
            {
                taken.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>The file of somebody else that has the name of the lock, which has no content; null where there is none.</summary>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be read.</exception>
    public static string? FindForeign(string folder)
    {
        string path = Path.Combine(folder, LockFile);
        try
        {
            return RegularFile.LengthOf(path) > 0 && File.ReadAllBytes(path).AsSpan().ContainsAnyExcept((byte)0) ? path : null;
        }
        catch (IOException)
        {
            // Somebody holds it.
            return null;
        }
    }

    /// <summary>Whether a process is at work in the folder now; false where that cannot be found out.</summary>
    public static bool IsHeld(string folder)
    {
        string path = Path.Combine(folder, LockFile);
        try
        {
            if (!File.Exists(path))
            {
                return false;
            }

            using FileLock? taken = FileLock.TryTake(path);
            return taken is null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        if (_isReleased)
        {
            return;
        }

        _isReleased = true;
        try
        {
            File.Delete(Path.Combine(_folder, HolderFile));
            _lock.Dispose();
            if (_madeFolder && !Directory.EnumerateFileSystemEntries(_folder).Any())
            {
                Directory.Delete(_folder);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What stays names a process that is gone, and is written over by the next one.
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private static string Holder(string folder)
    {
        try
        {
            using var record = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, HolderFile)));
            JsonElement root = record.RootElement;
            DateTimeOffset since = root.GetProperty("since").GetDateTimeOffset();
            return string.Create(
                CultureInfo.InvariantCulture,
                $"process {root.GetProperty("process").GetInt32()} on {root.GetProperty("host").GetString()} ({root.GetProperty("work").GetString()} since {since.ToLocalTime():yyyy-MM-dd HH:mm:ss})");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException
            or InvalidOperationException or FormatException)
        {
            // It has only just begun, or somebody deleted the record.
            return "another process";
        }
    }

    private void WriteHolder(string work)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("work", work);
            json.WriteNumber("process", Environment.ProcessId);
            json.WriteString("host", Environment.MachineName);
            json.WriteString("since", DateTimeOffset.Now);
            json.WriteEndObject();
        }

        PendingFile.WriteAll(Path.Combine(_folder, HolderFile), stream.ToArray());
    }
}
