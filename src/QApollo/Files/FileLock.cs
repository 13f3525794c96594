namespace QApollo.Files;

/// <summary>A file that is there while its owner works. The open handle is the lock: one that a killed owner left behind binds nobody.</summary>
public sealed class FileLock : IDisposable
{
    /// <summary>EWOULDBLOCK of Linux and macOS, ERROR_SHARING_VIOLATION.</summary>
    private static readonly int[] HeldErrors = [11, 35, unchecked((int)0x80070020)];

    private readonly string _path;
    private readonly FileStream _file;
    private bool _isReleased;

    private FileLock(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Whether a file was not opened because somebody else has locked it.</summary>
    public static bool IsHeld(IOException exception) => HeldErrors.Contains(exception.HResult);

    /// <returns>Null while somebody else holds it.</returns>
    /// <exception cref="IOException">The file cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written.</exception>
    public static FileLock? TryTake(string path)
    {
        while (true)
        {
            if (new FileInfo(path).LinkTarget is not null)
            {
                File.Delete(path);
            }

            FileStream file;
            try
            {
                file = new FileStream(
                    path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0,
                    OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None);
            }
            catch (IOException exception) when (IsHeld(exception))
            {
                return null;
            }

            bool isTaken = false;
            try
            {
                isTaken = OperatingSystem.IsWindows() || IsNamed(file, path);
                if (isTaken)
                {
                    return new FileLock(path, file);
                }
            }
            finally
            {
                // Without its length nobody knows whose the name is: it stays, and binds nobody.
                if (!isTaken)
                {
                    file.Dispose();
                }
            }
        }
    }

    public void Dispose()
    {
        if (_isReleased)
        {
            return;
        }

        _isReleased = true;
        using (_file)
        {
            if (!OperatingSystem.IsWindows())
            {
                // Before it is closed: afterwards the name may be another holder's.
                File.Delete(_path);
            }
        }
    }

    /// <summary>
    /// Elsewhere than on Windows a name can be deleted while the file is open: what was opened may be the file of a holder that
    /// has just ended. The name then stands for no file, or for one without this length.
    /// </summary>
    private static bool IsNamed(FileStream file, string path)
    {
        file.SetLength(Random.Shared.Next(1, 1 << 20));
        return new FileInfo(path) is { Exists: true } named && named.Length == file.Length;
    }
}
