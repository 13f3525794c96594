namespace QApollo.Memory;

/// <summary>Page-locked host memory is given at once or not at all; what a machine cannot give is said before anything is loaded.</summary>
public static class HostMemoryCheck
{
    /// <summary>What to do when the system locks too little.</summary>
    public const string Remedy =
        "on Linux raise the limit of locked memory (ulimit -l, memlock in limits.conf, or that of the container); Windows locks about half of the RAM; "
        + "less is taken with --host-budget, with fewer tokens per update, and with --layers disk";

    /// <exception cref="InsufficientMemoryException">This process can never have that much.</exception>
    public static void RequirePinned(long bytes)
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
        {
            throw new InsufficientMemoryException(
                $"{ByteSize.Format(bytes)} of page-locked host memory are needed, and this machine has {ByteSize.Format(available)} for this process: "
                + "less is taken with --host-budget, with fewer tokens per update, and with --layers disk");
        }
    }
}
