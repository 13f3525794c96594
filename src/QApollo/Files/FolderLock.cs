using System.Globalization;
using System.Text.Json;

namespace QApollo.Files;

/// <summary>
/// Keeps a folder to one process: a file that is open to nobody else, and beside it a record of who holds it. The operating
/// system closes the file with its process, so that a killed one is no obstacle.
/// </summary>
public sealed class FolderLock : IDisposable
{
    private const string LockFile = "lock";
    private const string HolderFile = "lock.json";

    private readonly string _folder;
    private readonly FileStream _file;
    private readonly bool _madeFolder;
    private bool _isReleased;

    private FolderLock(string folder, FileStream file, bool madeFolder) => (_folder, _file, _madeFolder) = (folder, file, madeFolder);

    /// <summary>Takes the folder, which is made where there is none; one that nothing was put into is removed again at the end.</summary>
    /// <param name="work">What the holder does there, for the message to others: "training".</param>
    /// <exception cref="RunFailedException">Another process has it (the message says which, where, and since when), or it cannot be written.</exception>
    public static FolderLock Take(string folder, string work)
    {
        string path = Path.Combine(folder, LockFile);
        bool isNew = !Directory.Exists(folder);
        try
        {
            Directory.CreateDirectory(folder);
            var taken = new FolderLock(folder, Open(path), isNew);
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
        catch (IOException) when (File.Exists(path) && IsHeld(path))
        {
            throw new RunFailedException($"{folder}: {Holder(folder)} is at work there: wait until it has ended, or name another folder");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{folder}: cannot be written: {exception.Message}", exception);
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
            if (!OperatingSystem.IsWindows())
            {
                // Before the file is closed: afterwards the name may be another holder's.
                File.Delete(Path.Combine(_folder, LockFile));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What stays names a process that is gone, and is written over by the next one.
        }

        _file.Dispose();
        try
        {
            if (_madeFolder && !Directory.EnumerateFileSystemEntries(_folder).Any())
            {
                Directory.Delete(_folder);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // An empty folder stays.
        }
    }

    private static FileStream Open(string path)
    {
        while (true)
        {
            if (new FileInfo(path).LinkTarget is { } target)
            {
                throw new IOException($"{path} is a link to {target}; delete it");
            }

            var file = new FileStream(
                path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0,
                OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None);
            if (OperatingSystem.IsWindows() || IsNamed(file, path))
            {
                return file;
            }

            file.Dispose();
        }
    }

    /// <summary>
    /// Elsewhere than on Windows a name can be deleted while the file is open: what was opened here may be the file of a holder
    /// that has just ended. The name then stands for no file, or for one without this length.
    /// </summary>
    private static bool IsNamed(FileStream file, string path)
    {
        file.SetLength(Random.Shared.Next(1, 1 << 20));
        return new FileInfo(path) is { Exists: true } named && named.Length == file.Length;
    }

    private static bool IsHeld(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
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
