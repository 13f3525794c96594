namespace QApollo.Files;

/// <summary>
/// A file that appears whole or not at all: written as <c>name.tmp</c>, flushed to the disk, then renamed over
/// whatever had the name. Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
public sealed class PendingFile : IDisposable
{
    private readonly string path;
    private readonly string temporaryPath;
    private FileStream? stream;

    /// <param name="bytes">Size to reserve, so that a full disk shows before the work is done; 0 if unknown.</param>
    /// <exception cref="RunFailedException">The file cannot be created there, or the disk has no room for it.</exception>
    public PendingFile(string path, long bytes = 0)
    {
        this.path = path;
        temporaryPath = path + ".tmp";
        stream = Guard(() => new FileStream(temporaryPath, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 0,
            PreallocationSize = bytes,
        }));
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
