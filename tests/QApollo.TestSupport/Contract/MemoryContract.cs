using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Quantization;
using Xunit;

namespace QApollo.TestSupport.Contract;

/// <summary>Copies, conversions, fills and transfers.</summary>
public abstract class MemoryContract : DeviceContract
{
    [Fact]
    public void A_fresh_allocation_is_zero()
    {
        Assert.All(Memory.Bytes(Memory.Zeros(DType.U8, 1, 100_000)), b => Assert.Equal(0, b));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 17)]
    [InlineData(300, 999)]
    [InlineData(256, 1024)]
    [InlineData(1, 20_487)]
    public void Copies_convert_between_binary32_and_bfloat16(int rows, int columns)
    {
        double[] values = new Samples(rows).Normals(rows * columns);
        values[0] = double.NaN;
        values[^1] = 1.00390625 + 1e-7;
        Tensor single = Memory.Upload(values, DType.F32, rows, columns).Tensor;
        Tensor bfloat = Memory.Zeros(DType.BF16, rows, columns);
        Tensor back = Memory.Zeros(DType.F32, rows, columns);
        Tensor again = Memory.Zeros(DType.BF16, rows, columns);
        Device.Copy(single, bfloat);
        Device.Copy(bfloat, back);
        Device.Copy(bfloat, again);
        ushort[] expected = Array.ConvertAll(values, v => BFloat.FromSingle((float)v));
        Compare.BitEqual<ushort>(MemoryMarshal.Cast<byte, ushort>(Memory.Bytes(bfloat)), expected, "to bfloat16");
        Compare.BitEqual<float>(Memory.Floats(back), Array.ConvertAll(expected, BFloat.ToSingle), "to binary32");
        Compare.BitEqual<byte>(Memory.Bytes(again), Memory.Bytes(bfloat), "bfloat16 copy");
    }

    [Fact]
    public void Zero_and_fill_stop_at_the_tensors_end()
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            Tensor all = Memory.Zeros(dtype, 3, 70_005);
            Device.Fill(all, 0.1f);
            float expected = dtype == DType.F32 ? 0.1f : BFloat.ToSingle(BFloat.FromSingle(0.1f));
            Assert.All(Memory.Floats(all), v => Assert.Equal(expected, v));
            Device.Fill(all.RowRange(1, 1), 3);
            Assert.All(Memory.Floats(all.RowRange(1, 1)), v => Assert.Equal(3f, v));
            Device.Zero(all.RowRange(1, 1));
            Assert.All(Memory.Floats(all.RowRange(0, 1)), v => Assert.Equal(expected, v));
            Assert.All(Memory.Floats(all.RowRange(1, 1)), v => Assert.Equal(0f, v));
            Assert.All(Memory.Floats(all.RowRange(2, 1)), v => Assert.Equal(expected, v));
        }
    }

    [Fact]
    public void Transfers_reach_the_other_space_and_return()
    {
        const int Count = 200_003;
        nint host = Device.Allocate(MemorySpace.PinnedHost, Count * 4);
        Tensor source = Memory.Upload(new Samples(3).Normals(Count), DType.F32, 1, Count).Tensor;
        Tensor destination = Memory.Zeros(DType.F32, 1, Count);
        var parked = new Tensor(host, DType.F32, 1, Count);
        Device.AwaitTransfer(Device.BeginTransfer(source, parked));
        Device.AwaitTransfer(Device.BeginTransfer(parked, destination));
        Device.Synchronize();
        Compare.BitEqual<byte>(Memory.Bytes(destination), Memory.Bytes(source), "there and back");
        Device.Free(MemorySpace.PinnedHost, host);
    }

    [Fact]
    public void An_allocation_beyond_the_machine_names_its_size()
    {
        var exception = Assert.ThrowsAny<OutOfMemoryException>(() => Device.Allocate(MemorySpace.Device, 1L << 50));
        Assert.Contains("1024.00 TiB", exception.Message, StringComparison.Ordinal);
    }
}
