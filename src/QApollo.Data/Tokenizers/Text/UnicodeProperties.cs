using System.Collections.Concurrent;
using System.Globalization;

namespace QApollo.Data.Tokenizers.Text;

/// <summary>Sets of code points by the names that patterns use: \p{L}, \p{Lu}, \p{Han}, [:alpha:].</summary>
internal static class UnicodeProperties
{
    private static readonly string[] CategoryNames =
    [
        "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "zs", "zl", "zp", "cc", "cf", "cs", "co",
        "pc", "pd", "ps", "pe", "pi", "pf", "po", "sm", "sc", "sk", "so", "cn",
    ];

    private static readonly Dictionary<string, string> LongNames = new()
    {
        ["letter"] = "l",
        ["mark"] = "m",
        ["number"] = "n",
        ["separator"] = "z",
        ["other"] = "c",
        ["punctuation"] = "p",
        ["symbol"] = "s",
        ["uppercaseletter"] = "lu",
        ["lowercaseletter"] = "ll",
        ["titlecaseletter"] = "lt",
        ["modifierletter"] = "lm",
        ["otherletter"] = "lo",
        ["nonspacingmark"] = "mn",
        ["spacingmark"] = "mc",
        ["enclosingmark"] = "me",
        ["decimalnumber"] = "nd",
        ["letternumber"] = "nl",
        ["othernumber"] = "no",
        ["spaceseparator"] = "zs",
        ["lineseparator"] = "zl",
        ["paragraphseparator"] = "zp",
        ["control"] = "cc",
        ["format"] = "cf",
        ["privateuse"] = "co",
        ["unassigned"] = "cn",
        ["connectorpunctuation"] = "pc",
        ["dashpunctuation"] = "pd",
        ["openpunctuation"] = "ps",
        ["closepunctuation"] = "pe",
        ["initialpunctuation"] = "pi",
        ["finalpunctuation"] = "pf",
        ["otherpunctuation"] = "po",
        ["mathsymbol"] = "sm",
        ["currencysymbol"] = "sc",
        ["modifiersymbol"] = "sk",
        ["othersymbol"] = "so",
    };

    private static readonly ConcurrentDictionary<string, CodePointSet?> Known = new();

    public static CodePointSet Digit => Require("nd");

    public static CodePointSet Space => Require("space");

    public static CodePointSet Word => Require("word");

    public static CodePointSet HexDigit => Require("xdigit");

    /// <summary>The set of that name, or null where the name is not known. Case, spaces, '-' and '_' do not count.</summary>
    public static CodePointSet? Find(string name)
    {
        string key = string.Concat(name.Where(c => c is not (' ' or '_' or '-'))).ToLowerInvariant();
        return Known.GetOrAdd(LongNames.GetValueOrDefault(key, key), Build);
    }

    /// <summary>Oniguruma's \w: that of UTS #18 without the joiners and with the other numbers of Latin-1.</summary>
    public static bool IsPatternWord(int codePoint)
    {
        CharacterClass kind = CharacterClasses.Of(codePoint);
        return (kind & CharacterClass.Word) != 0
            ? !CharacterClasses.IsJoiner(codePoint)
            : codePoint <= 0xFF && (kind & CharacterClass.Number) != 0;
    }

    private static CodePointSet Require(string name) => Find(name) ?? throw new InvalidOperationException(name);

    private static CodePointSet? Build(string name) => name switch
    {
        "any" => CodePointSet.All,
        "assigned" => ~Require("cn"),
        "ascii" => CodePointSet.Range(0, 0x7F),
        "space" or "whitespace" => CodePointSet.Where(CharacterClasses.IsWhiteSpace),
        "blank" => Require("zs") | CodePointSet.Of('\t'),
        "word" => CodePointSet.Where(IsPatternWord),
        "alpha" or "alphabetic" => null,
        "digit" => Require("nd"),
        "xdigit" => CodePointSet.Range('0', '9') | CodePointSet.Range('a', 'f') | CodePointSet.Range('A', 'F'),
        "cntrl" => Require("cc"),
        _ => Categories(name) ?? UnicodeScripts.Find(name),
    };

    private static CodePointSet? Categories(string name)
    {
        var wanted = new bool[CategoryNames.Length];
        bool any = false;
        for (int i = 0; i < wanted.Length; i++)
        {
            wanted[i] = CategoryNames[i] == name || (name.Length == 1 && CategoryNames[i][0] == name[0]);
            any |= wanted[i];
        }

        return any ? CodePointSet.Where(c => wanted[(int)CharUnicodeInfo.GetUnicodeCategory(c)]) : null;
    }
}
