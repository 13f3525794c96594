namespace QApollo.Files;

/// <summary>
/// A file that appears whole or not at all: written as <c>name.tmp</c>, flushed to the disk, then renamed over
/// whatever had the name. Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
public sealed class PendingFile : IDisposable
{
    /// <summary>Of the name until the file is whole.</summary>
    internal const string Suffix = ".tmp";

    private readonly string path;
    private readonly string temporaryPath;
    private FileStream? stream;

    /// <param name="bytes">Size to reserve, so that a full disk shows before the work is done; 0 if unknown.</param>
    /// <exception cref="RunFailedException">The file cannot be created there, or the disk has no room for it.</exception>
    public PendingFile(string path, long bytes = 0)
    {
        this.path = path;
        temporaryPath = path + Suffix;
        stream = Guard(() => CreateNew(temporaryPath, bytes));
    }

    /// <summary>
    /// Creates a file that nobody else has: never what a link of that name points to. What a killed process left there is
    /// removed; what a living one still writes is not.
    /// </summary>
    /// <param name="bytes">Size to reserve; 0 if unknown.</param>
    /// <exception cref="IOException">Another process writes the file, or it cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written.</exception>
    public static FileStream CreateNew(string path, long bytes = 0)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
            PreallocationSize = bytes,
        };
        if (new FileInfo(path) is { LinkTarget: null, Exists: true })
        {
            // Whoever still writes it keeps it locked. For reading too: so that even a pipe is not waited for.
            new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0).Dispose();
        }

        File.Delete(path);
        return new FileStream(path, options);
    }

    /// <summary>Writes a small file whole or not at all.</summary>
    /// <exception cref="RunFailedException">The disk is full or read-only, or fails; what was there before is still there.</exception>
    public static void WriteAll(string path, ReadOnlySpan<byte> content)
    {
        using var file = new PendingFile(path);
        file.Write(content);
        file.Commit();
    }

    /// <summary>Appends bytes, unbuffered. A failure removes the file: it cannot be committed any more.</summary>
    /// <exception cref="RunFailedException">The disk is full or fails.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        ObjectDisposedException.ThrowIf(stream is null, this);
        try
        {
            stream.Write(bytes);
        }
        catch (IOException e)
        {
            Dispose();
            throw Failed(e);
        }
    }

    /// <summary>Gives the file its name. When this returns, the content is on the disk.</summary>
    /// <exception cref="RunFailedException">The disk fails, or the name is taken by something that cannot be replaced.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(stream is null, this);
        Guard(() =>
        {
            stream.Flush(flushToDisk: true);
            stream.Dispose();
            Rename.File(temporaryPath, path);
            return true;
        });
        stream = null;
    }

    public void Dispose()
    {
        if (stream is null)
        {
            return;
        }

        stream.Dispose();
        stream = null;
        try
        {
            File.Delete(temporaryPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one worth reporting.
        }
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e);
        }
    }

    private RunFailedException Failed(Exception e) => new($"{path}: cannot be written: {e.Message}", e);
}
