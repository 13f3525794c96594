using System.Text;

namespace QApollo.Interchange.Tests;

/// <summary>Texts of all kinds, valid UTF-8, without the texts of special tokens.</summary>
internal static class Texts
{
    private static readonly string[] Usual =
    [
        "The quick brown fox jumps over the lazy dog; it's 12,345.67 metres, isn't it? We'll see: THEY'VE 3 dogs.",
        "Größe, façade, naïve café, Ångström, été", "Привет, мир! Как дела?", "日本語の文章、東京タワー。中文句子，很好。한국어 문장입니다.",
        "नमस्ते दुनिया। שלום עולם. مرحبا بالعالم. สวัสดีชาวโลก", "def f(x):\n    return x ** 2  # comment\n\n\tif y: pass\r\n", "a", " ", "  ", "\n", "\n\n\n",
        " leading", "trailing ", "in  between", "tabs\t\tand\t spaces  \n  mixed", "🙂👍🏽👨‍👩‍👧‍👦 emoji", "1234567890 12 123 1234", "x=1;y=2;z=x+y", "https://example.com/a?b=c&d=e#f",
        "<html><body class=\"x\">&amp;</body></html>", "'s 'S 're 'LL don't DON'T", "snake_case camelCase PascalCase kebab-case", "∑∫√≈≠ ½²³", "\u00a0non\u00a0breaking",
    ];

    private static readonly string[] Pieces =
    [
        "the", " the", "The", " a", "ing", " of", " and", "\n", "\r\n", "  ", "\t", "'s", "'LL", "123", " 7", "x1", "é", "ß", "日本", "東", "👍", "Ω", " ", "-", "==", "/*", "*/", "();", "\u00a0", "²",
        " public", " static", " void", "return", "int", "float", ".", ",", ", ", "\"", "(", ")", "{", "}", "мир", " дом",
    ];

    /// <summary>More than 200 different texts.</summary>
    public static IReadOnlyList<string> All { get; } = Make();

    /// <summary>A text to train tokenizers on and to score.</summary>
    public static string Long { get; } = string.Join('\n', Make().Select(text => text.Replace('\r', ' ')));

    private static List<string> Make()
    {
        var texts = new List<string>(Usual);
        var random = new Random(42);
        while (texts.Count < 240)
        {
            var text = new StringBuilder();
            for (int i = random.Next(1, 24); i > 0; i--)
            {
                text.Append(Pieces[random.Next(Pieces.Length)]);
            }

            if (!texts.Contains(text.ToString()))
            {
                texts.Add(text.ToString());
            }
        }

        return texts;
    }
}
