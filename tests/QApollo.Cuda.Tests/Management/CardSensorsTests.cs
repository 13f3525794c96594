using System.Runtime.InteropServices;
using QApollo.Cuda.Management;
using QApollo.Cuda.Tests.Simt;
using QApollo.Devices;
using Xunit;

namespace QApollo.Cuda.Tests.Management;

/// <summary>The binding to NVML, against a stand-in with its names and layouts.</summary>
public sealed unsafe class CardSensorsTests : IDisposable
{
    private const string FirstCard = "0000:07:00.0";
    private const string SecondCard = "0000:06:00.0";

    private static readonly SimtLibrary s_library = SimtLibrary.Default;

    /// <summary>Sensors as the stand-in has them by itself.</summary>
    public void Dispose() => Show();

    [Fact]
    public void The_drivers_card_is_found_by_its_place_on_the_bus()
    {
        CudaSurvey survey = CudaSurvey.Take(s_library.Path);
        Assert.Equal(FirstCard, Assert.Single(survey.Cards).PciBusId);
        using CardSensors? first = CardSensors.TryOpen(FirstCard, s_library.Path);
        using CardSensors? second = CardSensors.TryOpen(SecondCard, s_library.Path);
        Assert.Equal((63.0, 30.0), (first!.Read().Temperature, second!.Read().Temperature));
    }

    [Fact]
    public void All_sensors_are_read_in_their_units()
    {
        Show(celsius: 71, milliwatts: 250_500, millijoules: 7_000_000_000_000);
        using CardSensors sensors = CardSensors.TryOpen(FirstCard, s_library.Path)!;
        Assert.Equal(new SensorReading(71, 250.5, 1860, 7501, 7_000_000_001), sensors.Read());
    }

    [Fact]
    public void Sensors_that_a_card_has_not_are_not_numbers()
    {
        Show(celsius: -1, milliwatts: -1, millijoules: -1, othersPercent: -1);
        using CardSensors sensors = CardSensors.TryOpen(FirstCard, s_library.Path)!;
        Assert.Equal(new SensorReading(double.NaN, double.NaN, 1860, 7501, double.NaN), sensors.Read());
        Assert.Null(sensors.AreOthersAtWork());
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(35, true)]
    public void Others_at_work_are_told_from_this_process(int percent, bool expected)
    {
        Show(othersPercent: percent);
        using CardSensors sensors = CardSensors.TryOpen(FirstCard, s_library.Path)!;
        Assert.Equal(expected, sensors.AreOthersAtWork());
        Assert.Equal(expected, sensors.AreOthersAtWork());
    }

    [Fact]
    public void A_missing_library_and_an_unknown_card_are_no_error_and_leave_nothing_open()
    {
        int starts = Show();
        Assert.Null(CardSensors.TryOpen(FirstCard, "/nowhere/libnvidia-ml.so.1"));
        Assert.Null(CardSensors.TryOpen("0000:99:00.0", s_library.Path));
        Assert.Null(CardSensors.TryOpen(string.Empty, s_library.Path));
        CardSensors.TryOpen(FirstCard, s_library.Path)!.Dispose();
        Assert.Equal(starts, Show());
    }

    /// <summary>What the cards show from now on; negative for no such sensor.</summary>
    /// <returns>How often the library is started.</returns>
    private static int Show(int celsius = 63, int milliwatts = 212_500, long millijoules = 5000, int othersPercent = 0)
    {
        nint library = NativeLibrary.Load(s_library.Path);
        return ((delegate* unmanaged<int, int, long, int, int>)NativeLibrary.GetExport(library, "nvml_show"))(celsius, milliwatts, millijoules, othersPercent);
    }
}
