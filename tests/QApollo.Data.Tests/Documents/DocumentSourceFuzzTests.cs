using System.Text;
using System.Text.Json;
using Xunit;

namespace QApollo.Data.Tests.Documents;

/// <summary>Random damage: the readers give text or one clear line, and agree with the base library's decoders where those accept.</summary>
public sealed class DocumentSourceFuzzTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Invalid_utf8_is_replaced_as_the_base_library_does(int seed)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[200_000];
        random.NextBytes(bytes);
        for (int i = 0; i < bytes.Length; i += random.Next(1, 60))
        {
            ReadOnlySpan<byte> valid = Encoding.UTF8.GetBytes(char.ConvertFromUtf32(random.Next(4) switch { 0 => random.Next(0x80), 1 => random.Next(0x80, 0x800), 2 => random.Next(0xE000, 0xFFFE), _ => random.Next(0x10000, 0x110000) }));
            valid[..Math.Min(valid.Length, bytes.Length - i)].CopyTo(bytes.AsSpan(i));
        }

        bytes[0] = (byte)'a';
        _folder.Write("a.txt", bytes);

        Assert.Equal(Encoding.UTF8.GetString(bytes), Assert.Single(Read()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Damaged_json_lines_never_crash_and_agree_with_the_base_library(int seed)
    {
        var random = new Random(seed);
        string[] lines =
        [
            """{"text":"plain","id":1}""",
            """{"a":[{"text":"x"},null,true,-1.5e3],"text":"esc \n\t\"\\\/ \u00e9 \ud83e\udd99 \ud83e x \udd99"}""",
            """{"text":"äöü 日本 🦙","b":{"c":{}}}""",
            """{"\u0074ext":"named with an escape"}""",
        ];
        const string Spice = "\"\\{}[]:,ud8f0nx \t\r\u00e9";
        int accepted = 0;
        for (int i = 0; i < 1000; i++)
        {
            byte[] line = Encoding.UTF8.GetBytes(lines[random.Next(lines.Length)]);
            for (int n = random.Next(3); n >= 0 && line.Length > 0; n--)
            {
                int at = random.Next(line.Length);
                line = random.Next(4) switch
                {
                    0 => [.. line[..at], .. line[(at + 1)..]],
                    1 => [.. line[..at], (byte)Spice[random.Next(Spice.Length)], .. line[at..]],
                    2 => line[..Math.Max(1, at)],
                    _ => [.. line[..at], (byte)random.Next(256), .. line[(at + 1)..]],
                };
            }

            line = [.. line.Where(b => b != (byte)'\n')];
            _folder.Write("a.jsonl", line);
            if (line.Length == 0 || line is [0xFE or 0xFF, ..])
            {
                continue;
            }

            string? expected = Expected(line);
            try
            {
                string text = string.Concat(Read());
                accepted++;
                if (expected is not null)
                {
                    Assert.Equal(expected, text);
                }
            }
            catch (InvalidFileException e)
            {
                Assert.True(expected is null, $"{Encoding.UTF8.GetString(line)}: {e.Message}");
                Assert.Contains("line 1: ", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(accepted, 100, 950);
    }

    [Fact]
    public void Deep_nesting_beside_the_text_is_read_over()
    {
        _folder.Write("a.jsonl", "{\"x\":" + new string('[', 100_000) + "1" + new string(']', 100_000) + ",\"text\":\"a\"}");

        Assert.Equal(["a"], Read());
    }

    [Fact]
    public void Damaged_gzip_never_crashes()
    {
        var random = new Random(3);
        byte[] whole = TemporaryFolder.Gzip(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 2000).Select(i => $"{i} text "))));
        int refused = 0;
        for (int i = 0; i < 500; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            _folder.Write("a.txt.gz", damaged);
            try
            {
                Read();
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        // Only a few header bits (name, time, system) carry nothing.
        Assert.True(refused > 450, $"{refused} of 500 refused");
    }

    /// <summary>What System.Text.Json reads; null where it refuses, or where the text is not Unicode.</summary>
    private static string? Expected(byte[] line)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(line);
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.GetProperty("text").GetString();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            return null;
        }
    }

    private List<string> Read() =>
        [.. new DocumentSource(Corpus.Find([_folder.Path])).Read().Select(text => Encoding.UTF8.GetString(text.Span))];
}
