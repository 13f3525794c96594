namespace QApollo.Devices;

/// <summary>A device that can run its multiply-adds at full speed, on registers alone: the peak that its products are held against.</summary>
public interface IArithmeticPeak
{
    /// <summary>Runs multiply-adds on all threads for a fraction of a millisecond.</summary>
    /// <returns>Floating-point operations done, two for each multiply-add.</returns>
    double RunMultiplyAdds();
}
