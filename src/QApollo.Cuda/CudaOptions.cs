namespace QApollo.Cuda;

/// <summary>How the CUDA device does its work.</summary>
public sealed record CudaOptions
{
    /// <summary>Launches that a step repeats go to the driver as CUDA graphs: the same work, in fewer calls.</summary>
    public bool UseGraphs { get; init; } = true;
}
