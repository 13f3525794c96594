using QApollo.Devices;
using Xunit;

namespace QApollo.Tests.Devices;

public class ProductShapeTests
{
    [Theory]
    [InlineData(ProductKind.Forward, DType.U8, 128, DType.BF16, "forward:2048x11008x4096:u8-128:bf16")]
    [InlineData(ProductKind.InputGradient, DType.BF16, 0, DType.BF16, "input-gradient:2048x11008x4096:bf16-0:bf16")]
    [InlineData(ProductKind.WeightGradient, DType.F32, 0, DType.F32, "weight-gradient:2048x11008x4096:f32-0:f32")]
    public void Its_text_can_be_read_again(ProductKind kind, DType weight, int groupSize, DType output, string text)
    {
        var product = new ProductShape(kind, 2048, 11008, 4096, weight, groupSize, output);
        Assert.Equal(text, product.ToString());
        Assert.True(ProductShape.TryParse(text, out ProductShape parsed));
        Assert.Equal(product, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("backward:1x1x1:f32-0:f32")]
    [InlineData("forward:1x1:f32-0:f32")]
    [InlineData("forward:1x1x-1:f32-0:f32")]
    [InlineData("forward:1x1x1:f32:f32")]
    [InlineData("forward:1x1x1:f64-0:f32")]
    [InlineData("forward:1x1x1:f32-0")]
    public void Other_texts_are_refused(string text)
    {
        Assert.False(ProductShape.TryParse(text, out _));
    }
}
