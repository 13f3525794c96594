namespace QApollo.Cli.Options;

/// <summary>How the gradients of ranks on GPUs travel.</summary>
internal enum GradientExchange
{
    /// <summary>By NCCL where every rank finds it, else through host memory.</summary>
    Auto,

    Nccl,

    Host,
}
