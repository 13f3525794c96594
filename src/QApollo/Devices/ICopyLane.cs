namespace QApollo.Devices;

/// <summary>
/// Copies between a device and host memory for one thread beside the one that computes. The computing thread marks; the other
/// one copies. Belongs to the caller, who closes it before the device, when no copy is under way.
/// </summary>
public interface ICopyLane : IDisposable
{
    /// <summary>Called by the computing thread: all operations of the device so far. Holds until as many marks have followed as the lane has.</summary>
    int Mark();

    /// <summary>Waits for what was marked, and for the copy. The memory may not be written by operations that follow the mark.</summary>
    /// <param name="destination">As many bytes; page-locked, else the copy may be slow.</param>
    void Download(int mark, Tensor source, Span<byte> destination);

    /// <summary>Waits for the copy; operations that are called after it see it.</summary>
    /// <param name="source">As many bytes; page-locked, else the copy may be slow.</param>
    void Upload(ReadOnlySpan<byte> source, Tensor destination);
}
