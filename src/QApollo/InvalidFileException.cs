namespace QApollo;

/// <summary>A file whose content is broken or is not what it should be. The message starts with the file's name.</summary>
public sealed class InvalidFileException : RunFailedException
{
    public InvalidFileException(string path, string fault)
        : base($"{path}: {fault}") => Path = path;

    public InvalidFileException(string path, string fault, Exception innerException)
        : base($"{path}: {fault}", innerException) => Path = path;

    /// <param name="message">Begins with the file's name, as that of <paramref name="fault"/> does.</param>
    internal InvalidFileException(string message, InvalidFileException fault)
        : base(message, fault) => Path = fault.Path;

    public string Path { get; }
}
