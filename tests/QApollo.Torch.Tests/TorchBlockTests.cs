using TorchSharp;
using Xunit;

namespace QApollo.Torch.Tests;

/// <summary>Views of a block share its memory, whatever device it is of.</summary>
public sealed class TorchBlockTests
{
    private const long Bytes = 3 * 4096;

    [Fact]
    public void Views_of_all_types_are_of_one_memory()
    {
        using var block = new TorchBlock(torch.zeros(Bytes, torch.ScalarType.Byte));
        Assert.Equal(0, block.Address % 4096);
        using torch.Tensor single = block.View(block.Address + 8, torch.ScalarType.Float32, [2, 3]);
        single[1, 0] = 1.5f;
        using torch.Tensor words = block.View(block.Address + 8, torch.ScalarType.Int16, [6, 2]);
        Assert.Equal(0x3FC0, words[3, 1].item<short>());
        Assert.Equal(0, words[3, 0].item<short>());
        Assert.Throws<ArgumentException>(() => block.View(block.Address + 2, torch.ScalarType.Float32, [1]));
    }

    /// <summary>
    /// libtorch's device without memory stands for a GPU: what LibTorchSharp wraps at an address of another device than the
    /// processor is a copy, which begins at its own memory's beginning.
    /// </summary>
    [Fact]
    public void A_view_of_another_device_is_a_window_and_no_copy()
    {
        using var block = new TorchBlock(torch.zeros(Bytes, torch.ScalarType.Byte, torch.META));
        Assert.False(block.IsOnHost);
        using torch.Tensor view = block.View(block.Address + 40, torch.ScalarType.Float32, [2, 3]);
        Assert.Equal(DeviceType.META, view.device_type);
        Assert.Equal(torch.ScalarType.Float32, view.dtype);
        Assert.Equal(10, view.storage_offset());
        Assert.Equal([3L, 1L], view.stride());
    }
}
