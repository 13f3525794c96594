namespace QApollo.Memory;

/// <summary>The way between host memory and a card.</summary>
/// <param name="Generation">Of PCI Express: 3, 4 or 5.</param>
/// <param name="Lanes">8 or 16.</param>
public readonly record struct PcieLink(int Generation, int Lanes)
{
    /// <summary>From generation 3 on, 130 bits carry 128.</summary>
    private const double Encoding = 128.0 / 130;

    /// <summary>A packet has at most 256 bytes of data on common machines, behind 24 bytes of framing, header and checksum.</summary>
    private const double PacketShare = 256.0 / (256 + 24);

    /// <summary>Bytes per second in one direction at the very best.</summary>
    public double BytesPerSecond => Lanes * TransfersPerSecond / 8 * Encoding * PacketShare;

    /// <summary>8 GT/s in generation 3, twice as many in each that follows.</summary>
    private double TransfersPerSecond => 8e9 * (1 << (Generation - 3));

    public override string ToString() => $"PCIe {Generation}.0 x{Lanes}";
}
