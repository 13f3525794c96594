using QApollo.Cuda.Driver;

namespace QApollo.Cuda;

/// <summary>The GPU to take when none is named: the first that can be used.</summary>
/// <param name="Card">Null when there is none.</param>
/// <param name="WhyNot">Why a GPU before it, or every GPU, was passed over; null where there is nothing to say, as without a driver.</param>
public sealed record CudaSearch(CudaCard? Card, string? WhyNot)
{
    /// <param name="driverLibrary">A library with the driver's functions instead of the installed driver.</param>
    public static CudaSearch Run(string? driverLibrary = null)
    {
        if (!DriverLibrary.TryLoad(driverLibrary, out nint library))
        {
            return new CudaSearch(null, null);
        }

        string? whyNot = null;
        try
        {
            CudaDriver driver = CudaDriver.Open(library);
            int count = driver.CardCount();
            for (int ordinal = 0; ordinal < count; ordinal++)
            {
                CudaCard card = CudaCard.Read(driver, ordinal);
                if (card.Problem is not { } reason)
                {
                    return new CudaSearch(card, whyNot);
                }

                whyNot ??= reason;
            }
        }
        catch (CudaException exception)
        {
            whyNot ??= exception.Message;
        }

        return new CudaSearch(null, whyNot);
    }
}
