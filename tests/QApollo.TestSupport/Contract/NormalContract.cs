using QApollo.Devices;
using QApollo.Quantization;
using QApollo.TestSupport.Oracles;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Normal random numbers.</summary>
public abstract class NormalContract : DeviceContract
{
    private static readonly RandomStream Stream = new(0x123456789ABCDEF0, RandomPurpose.Projection, 7, 200);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 4)]
    [InlineData(4099, 0)]
    [InlineData(10_001, 1 << 20)]
    [InlineData(5, (1L << 40) - 4)]
    public void Values_are_the_box_muller_transform_of_the_stream(int count, long firstElement)
    {
        Tensor single = Memory.Zeros(DType.F32, 1, count);
        Device.FillNormal(single, Stream, firstElement, 0.02f);
        double[] expected = NormalOracle.Values(Stream, firstElement, count, 0.02f);
        Compare.AllClose(Memory.Floats(single), expected, 0.02 * 2e-6, 2e-6, "F32");

        Tensor bfloat = Memory.Zeros(DType.BF16, 1, count);
        Device.FillNormal(bfloat, Stream, firstElement, 0.02f);
        Compare.AllClose(Memory.Floats(bfloat), expected, 0.02 * 1e-5, 1.0 / 256, "BF16");
    }

    [Fact]
    public void Values_are_standard_normal()
    {
        const int Count = 1 << 20;
        Tensor tensor = Memory.Zeros(DType.F32, 1024, 1024);
        Device.FillNormal(tensor, Stream, 0, 1f);
        double[] values = Memory.Read(tensor);
        Assert.InRange(values.Average(), -4 / Math.Sqrt(Count), 4 / Math.Sqrt(Count));
        Assert.InRange(values.Average(v => v * v), 1 - 4 * Math.Sqrt(2.0 / Count), 1 + 4 * Math.Sqrt(2.0 / Count));
        Assert.InRange(values.Count(v => Math.Abs(v) > 3), 2500, 3200);
    }
}
