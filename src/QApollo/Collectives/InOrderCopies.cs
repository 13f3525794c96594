using QApollo.Devices;

namespace QApollo.Collectives;

/// <summary>Copies among the other operations of a device, by its own thread.</summary>
internal sealed class InOrderCopies(IDevice device) : ICopyLane
{
    public int Mark() => 0;

    public void Download(int mark, Tensor source, Span<byte> destination) => device.Download(source, destination);

    public void Upload(ReadOnlySpan<byte> source, Tensor destination) => device.Upload(source, destination);

    public void Dispose()
    {
    }
}
