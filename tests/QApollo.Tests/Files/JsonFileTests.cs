using System.Text.Json;
using QApollo.Files;
using QApollo.TestSupport;
using Xunit;

namespace QApollo.Tests.Files;

public sealed class JsonFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public static TheoryData<byte[], string> Broken => new()
    {
        { [.. "{\"a"u8, 0xFF, .. "\":1}"u8], "Unicode" },
        { [.. "{\"a\":\""u8, 0xC3, .. "\"}"u8], "Unicode" },
        { [.. "{\"a\":\"\\ud800\"}"u8], "Unicode" },
        { [.. "{\"a\":[{\"\\udc00\":1}]}"u8], "Unicode" },
        { [.. "[1]"u8], "JSON object" },
        { [.. "{"u8], "not valid JSON" },
        { [.. "{\"a\":"u8, .. Enumerable.Repeat((byte)'[', 100)], "depth" },
        { [], "empty" },
    };

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_is_wrong_is_one_line_with_the_files_name(byte[] content, string expected)
    {
        string path = folder.File("a.json");
        File.WriteAllBytes(path, content);
        string message = Assert.ThrowsAny<RunFailedException>(() => JsonFile.Read(path)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\uFEFF")]
    public void A_whole_one_is_read(string mark)
    {
        File.WriteAllText(folder.File("a.json"), mark + """{"ü":["\ud83d\ude00"]}""");
        using JsonDocument document = JsonFile.Read(folder.File("a.json"));
        Assert.Equal("😀", document.RootElement.GetProperty("ü")[0].GetString());
    }
}
