using QApollo.Cuda.Tests.Simt;
using Xunit;

namespace QApollo.Cuda.Tests;

/// <summary>A survey tells of every card and driver, those that cannot be used included.</summary>
public sealed class CudaSurveySimtTests : IDisposable
{
    private readonly string _copy = Path.Combine(Path.GetTempPath(), $"simt-{Guid.NewGuid():N}.so");
    private readonly SimtLibrary _library;

    /// <summary>A copy of the library has globals of its own: what it claims does not reach other tests.</summary>
    public CudaSurveySimtTests()
    {
        File.Copy(Repository.SimtLibrary, _copy);
        _library = new SimtLibrary(_copy);
    }

    [Fact]
    public void Cards_that_can_be_used()
    {
        _library.Claim(driverVersion: 12040, devices: 2, memoryBytes: 12L << 30);
        var survey = CudaSurvey.Take(_copy);
        Assert.Equal((null, 12040), (survey.Problem, survey.DriverVersion));
        Assert.Equal([0, 1], survey.Cards.Select(card => card.Ordinal));
        Assert.All(survey.Cards, card => Assert.Equal((null, 12L << 30), (card.Problem, card.TotalBytes)));
    }

    [Fact]
    public void A_card_that_is_too_old_is_listed_with_the_reason()
    {
        _library.Claim(major: 7, minor: 5);
        Assert.Contains("7.5; 8.0 or newer is needed", Assert.Single(CudaSurvey.Take(_copy).Cards).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_that_is_too_old_is_the_cards_problem()
    {
        _library.Claim(driverVersion: 11020);
        Assert.Contains("supports CUDA 11.2; 11.8 or newer is needed", Assert.Single(CudaSurvey.Take(_copy).Cards).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_without_a_card_still_tells_its_version()
    {
        _library.Claim(driverVersion: 12020, devices: 0);
        var survey = CudaSurvey.Take(_copy);
        Assert.Equal((12020, 0), (survey.DriverVersion, survey.Cards.Count));
        Assert.Contains("sees no NVIDIA GPU", survey.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void No_driver()
    {
        var survey = CudaSurvey.Take("/nowhere/libcuda.so");
        Assert.Equal("no CUDA driver: /nowhere/libcuda.so could not be loaded", survey.Problem);
        Assert.Null(survey.DriverVersion);
    }

    public void Dispose() => File.Delete(_copy);
}
