namespace QApollo.Cuda.Driver;

/// <summary>Names one kernel. The function behind it is looked up when it is first launched.</summary>
/// <param name="module">The kernel file without its ending: the PTX that it is in, with others.</param>
/// <param name="name">The entry in the PTX.</param>
/// <param name="threads">Threads of a block, which the kernel is written for.</param>
/// <param name="parameters">How many parameters it takes.</param>
internal sealed class Kernel(string module, string name, int threads, int parameters)
{
    public string Module { get; } = module;

    public string Name { get; } = name;

    public int Threads { get; } = threads;

    public int Parameters { get; } = parameters;
}
