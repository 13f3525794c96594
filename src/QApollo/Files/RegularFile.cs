using Microsoft.Win32.SafeHandles;

namespace QApollo.Files;

/// <summary>
/// Opens files that hold bytes of their own. A pipe would be waited for without end, and a device read without end, so that
/// neither may stand where a file of a model, a run or a corpus is expected, not even behind a symbolic link.
/// </summary>
public static class RegularFile
{
    /// <summary>Bytes of a regular file, behind symbolic links too; 0 where there is none, or something else.</summary>
    /// <exception cref="IOException">A symbolic link cannot be followed.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be read.</exception>
    public static long LengthOf(string path)
    {
        // Pipes and devices have no length.
        FileSystemInfo target = Target(path);
        bool isFile = target is FileInfo { Exists: true } && (target.Attributes & (FileAttributes.Directory | FileAttributes.Device)) == 0;
        return isFile ? ((FileInfo)target).Length : 0;
    }

    /// <summary>UTC time of the last change of a file's content, behind symbolic links too.</summary>
    /// <exception cref="IOException">A symbolic link cannot be followed.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be read.</exception>
    public static DateTime ModifiedOf(string path) => Target(path).LastWriteTimeUtc;

    /// <summary>Opens for reading, from one end to the other or anywhere.</summary>
    /// <exception cref="InvalidFileException">It is empty, a pipe, a device or a folder.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FileStream OpenRead(string path, int bufferSize = 0, FileOptions options = FileOptions.SequentialScan)
    {
        Require(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize, options);
    }

    /// <summary>Opens for reads at any place, by several threads.</summary>
    /// <inheritdoc cref="OpenRead" path="/exception"/>
    public static SafeFileHandle OpenHandle(string path)
    {
        Require(path);
        return File.OpenHandle(path, options: FileOptions.RandomAccess);
    }

    /// <summary>Reads a small file.</summary>
    /// <param name="maxBytes">More are not read into memory.</param>
    /// <exception cref="InvalidFileException">It is empty, longer, a pipe, a device or a folder.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static byte[] ReadAllBytes(string path, long maxBytes)
    {
        using FileStream file = OpenRead(path);
        if (file.Length > maxBytes)
        {
            throw new InvalidFileException(path, $"has {file.Length} bytes; at most {maxBytes} are read");
        }

        var bytes = new byte[file.Length];
        int count = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return count == bytes.Length ? bytes : throw new InvalidFileException(path, "became shorter while it was read");
    }

    /// <summary>Of a link, the system tells length and time of the link itself.</summary>
    private static FileSystemInfo Target(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
    }

    private static void Require(string path)
    {
        // What is missing is told by the system when it is opened.
        if (File.Exists(path) && LengthOf(path) == 0)
        {
            throw new InvalidFileException(path, "is empty, or no regular file");
        }
    }
}
