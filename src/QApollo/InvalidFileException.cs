namespace QApollo;

/// <summary>A file whose content is broken or is not what it should be. The message starts with the file's name.</summary>
public sealed class InvalidFileException : RunFailedException
{
    public InvalidFileException(string path, string fault)
        : base($"{path}: {fault}") => Path = path;

    public InvalidFileException(string path, string fault, Exception innerException)
        : base($"{path}: {fault}", innerException) => Path = path;

    public string Path { get; }
}
