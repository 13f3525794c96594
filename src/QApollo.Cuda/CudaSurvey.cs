using QApollo.Cuda.Driver;

namespace QApollo.Cuda;

/// <summary>What this machine's CUDA driver says, whether it can be used or not; nothing is created on a card.</summary>
/// <param name="Problem">Why there is no GPU to use, and what to do; null when the driver works and sees a card.</param>
/// <param name="DriverVersion">The newest CUDA version that the driver supports, 11080 for 11.8; null without a driver.</param>
/// <param name="Cards">All cards, those that are too old included; see <see cref="CudaCard.Problem"/>.</param>
public sealed record CudaSurvey(string? Problem, int? DriverVersion, IReadOnlyList<CudaCard> Cards)
{
    /// <param name="driverLibrary">A library with the driver's functions instead of the installed driver.</param>
    public static CudaSurvey Take(string? driverLibrary = null)
    {
        int? version = null;
        try
        {
            CudaDriver driver = CudaDriver.Load(driverLibrary);
            version = driver.Version();
            driver.Initialize();
            return new CudaSurvey(null, version, [.. Enumerable.Range(0, driver.CardCount()).Select(ordinal => CudaCard.Read(driver, ordinal))]);
        }
        catch (CudaException exception)
        {
            return new CudaSurvey(exception.Message, version, []);
        }
    }
}
