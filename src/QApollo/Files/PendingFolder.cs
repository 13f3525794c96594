namespace QApollo.Files;

/// <summary>
/// A folder that appears whole or not at all: its files are written into <c>name.partial</c>, which gets its name last.
/// Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
public sealed class PendingFolder : IDisposable
{
    private readonly string _target;
    private bool _committed;

    /// <exception cref="RunFailedException">The folder cannot be created.</exception>
    public PendingFolder(string path)
    {
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        Path = _target + ".partial";
        Guard(() =>
        {
            DeleteIfThere(Path);
            Directory.CreateDirectory(Path);
        });
    }

    /// <summary>Where the files go until they are complete.</summary>
    public string Path { get; }

    /// <summary>Gives the folder its name; a folder that had it is gone then.</summary>
    /// <exception cref="RunFailedException">The disk fails.</exception>
    public void Commit()
    {
        Guard(() =>
        {
            string replaced = _target + ".replaced";
            DeleteIfThere(replaced);
            if (Directory.Exists(_target))
            {
                Rename.Folder(_target, replaced);
            }

            Rename.Folder(Path, _target);
            _committed = true;
            DeleteIfThere(replaced);
        });
    }

    public void Dispose()
    {
        if (_committed)
        {
            return;
        }

        try
        {
            DeleteIfThere(Path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one worth reporting.
        }
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RunFailedException($"{_target}: cannot be written: {exception.Message}", exception);
        }
    }

    private static void DeleteIfThere(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
