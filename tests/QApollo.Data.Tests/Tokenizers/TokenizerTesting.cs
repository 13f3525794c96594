using System.Buffers;
using System.Text;
using QApollo.TestSupport.Goldens;

namespace QApollo.Data.Tests.Tokenizers;

/// <summary>Shorthands for encoding and decoding in tests, and where the golden files are.</summary>
internal static class TokenizerTesting
{
    public static string Goldens { get; } =
        Path.Combine(GoldenFolder.RepositoryRoot, "tests", "QApollo.Data.Tests", "Tokenizers", "Goldens");

    public static string Golden(string name) => Path.Combine(Goldens, name);

    public static int[] Ids(this ITokenizer tokenizer, ReadOnlySpan<byte> utf8)
    {
        var ids = new ArrayBufferWriter<int>();
        tokenizer.Encode(utf8, ids);
        return ids.WrittenSpan.ToArray();
    }

    public static int[] Ids(this ITokenizer tokenizer, string text) => tokenizer.Ids(Encoding.UTF8.GetBytes(text));

    public static byte[] Bytes(this ITokenizer tokenizer, ReadOnlySpan<int> ids)
    {
        var utf8 = new ArrayBufferWriter<byte>();
        tokenizer.Decode(ids, utf8);
        return utf8.WrittenSpan.ToArray();
    }

    /// <summary>The decoded text; bytes that are no UTF-8 show as U+FFFD.</summary>
    public static string Text(this ITokenizer tokenizer, ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(tokenizer.Bytes(ids));

    /// <summary>Characters of all kinds, broken UTF-8 among them.</summary>
    public static byte[] RandomText(Random random, int pieces)
    {
        string[] usual = ["the", " a", "\n", "\r\n", "  ", "\t", "'s", "'LL", "123", "x1", "é", "e\u0301", "日本", "👍🏽", "𝒜", " ", "-", "==", "\u00a0", "▁", "<|endoftext|>", "ſ", "Ω", "²"];
        var text = new List<byte>();
        for (int i = 0; i < pieces; i++)
        {
            switch (random.Next(10))
            {
                case 0:
                    text.Add((byte)random.Next(256));
                    break;
                case 1:
                    int codePoint = random.Next(0x110000);
                    text.AddRange(Encoding.UTF8.GetBytes(Rune.IsValid(codePoint) ? new Rune(codePoint).ToString() : "?"));
                    break;
                default:
                    text.AddRange(Encoding.UTF8.GetBytes(usual[random.Next(usual.Length)]));
                    break;
            }
        }

        return [.. text];
    }
}
