namespace QApollo.Files;

/// <summary>
/// Renames files and folders. On Windows a virus scanner or an indexer that looks into a new file keeps it, and the folder
/// it is in, from being renamed for a moment: there, a rename that fails is tried again for a while.
/// </summary>
public static class Rename
{
    private const int Attempts = 10;
    private const int FirstWaitMilliseconds = 20;

    /// <summary>Replaces what has the name.</summary>
    /// <exception cref="IOException">It fails for good.</exception>
    /// <exception cref="UnauthorizedAccessException">It fails for good.</exception>
    public static void File(string from, string to) => Patiently(() => System.IO.File.Move(from, to, overwrite: true));

    /// <inheritdoc cref="File"/>
    public static void Folder(string from, string to) => Patiently(() => Directory.Move(from, to));

    private static void Patiently(Action rename)
    {
        int attempts = OperatingSystem.IsWindows() ? Attempts : 1;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                rename();
                return;
            }
            catch (Exception exception) when (attempt < attempts && exception is (IOException or UnauthorizedAccessException))
            {
                // 20, 40 ... 180 ms: 0.9 s in all.
                Thread.Sleep(attempt * FirstWaitMilliseconds);
            }
        }
    }
}
