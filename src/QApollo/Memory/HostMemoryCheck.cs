namespace QApollo.Memory;

/// <summary>What a machine cannot give is said before anything is loaded. Page-locked host memory is given at once or not at all.</summary>
public static class HostMemoryCheck
{
    /// <summary>What to do when a device cannot give what a run takes.</summary>
    public const string Advice = "--budget auto makes a run fit that is here, qapollo plan tells what it takes";

    /// <summary>What to do when the system locks too little.</summary>
    public const string Remedy =
        "on Linux raise the limit of locked memory (ulimit -l, memlock in limits.conf, or that of the container); Windows locks about half of the RAM; "
        + "less is taken with --host-budget, with fewer tokens per update, and with --layers disk";

    /// <summary>For a device that computes in host memory.</summary>
    /// <param name="device">As the message is to begin: "the CPU device".</param>
    /// <exception cref="InsufficientMemoryException">The machine, or its container, has not that much for this process.</exception>
    public static void Require(string device, long bytes)
    {
        if (bytes > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)
        {
            throw new InsufficientMemoryException($"{Asked(device, bytes)}: {Advice}");
        }
    }

    /// <summary>Where the system gives a process less than the machine has.</summary>
    public static InsufficientMemoryException Refused(string device, long bytes, Exception refusal) =>
        new($"{Asked(device, bytes)}, but the system refuses: raise the limit (ulimit -v), or give a --budget below it", refusal);

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

    private static string Asked(string device, long bytes) =>
        $"{device} was asked for {ByteSize.Format(bytes)}; the machine has {ByteSize.Format(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} for this process";
}
