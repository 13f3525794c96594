namespace QApollo.Torch;

/// <summary>libtorch cannot be used here; the message says why and what would help, in one line.</summary>
public sealed class TorchException : RunFailedException
{
    public TorchException(string message)
        : base(message)
    {
    }

    public TorchException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
