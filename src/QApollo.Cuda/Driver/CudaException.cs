namespace QApollo.Cuda.Driver;

/// <summary>A CUDA device cannot be used, or a call of the driver failed; the message says what to do.</summary>
public sealed class CudaException : Exception
{
    public CudaException(string message, int status = 0, Exception? inner = null)
        : base(message, inner)
    {
        Status = status;
    }

    /// <summary>The driver's CUresult; 0 where no call failed.</summary>
    public int Status { get; }
}
