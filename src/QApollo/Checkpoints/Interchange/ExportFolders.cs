namespace QApollo.Checkpoints.Interchange;

internal static class ExportFolders
{
    /// <summary>Makes the folder that a file or folder will stand in.</summary>
    /// <exception cref="RunFailedException">It cannot be made.</exception>
    public static void CreateParent(string path)
    {
        try
        {
            if (Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))) is { Length: > 0 } parent)
            {
                Directory.CreateDirectory(parent);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{path}: cannot be written: {exception.Message}", exception);
        }
    }
}
