namespace QApollo.Files;

/// <summary>What the system tells of a disk's free space.</summary>
public static class DiskSpace
{
    /// <summary>Bytes that this user can still write under a folder, which need not exist yet.</summary>
    /// <returns>Null where the system does not tell.</returns>
    public static long? Free(string folder)
    {
        try
        {
            return new DriveInfo(ExistingFolder(folder)).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The folder, or the nearest one above it that exists.</summary>
    private static string ExistingFolder(string folder)
    {
        string? existing = Path.GetFullPath(folder);
        while (existing is not null && !Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing);
        }

        return existing ?? Path.GetPathRoot(Path.GetFullPath(folder))!;
    }
}
