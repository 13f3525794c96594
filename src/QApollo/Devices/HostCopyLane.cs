namespace QApollo.Devices;

/// <summary>That of a device whose memory is the host's, and whose operations are done when their calls return.</summary>
public sealed class HostCopyLane : ICopyLane
{
    public int Mark() => 0;

    public void Download(int mark, Tensor source, Span<byte> destination) => HostSpan.Of<byte>(source).CopyTo(destination);

    public void Upload(ReadOnlySpan<byte> source, Tensor destination) => source.CopyTo(HostSpan.Of<byte>(destination));

    public void Dispose()
    {
    }
}
