using System.Globalization;

namespace QApollo.Data.Tokenizers.Text;

/// <summary>The classes of code points that the usual splitting patterns tell apart.</summary>
[Flags]
internal enum CharacterClass : byte
{
    /// <summary>None of the others: punctuation, symbols, marks, controls.</summary>
    Other = 0,

    /// <summary>\p{L}.</summary>
    Letter = 1,

    /// <summary>\p{N}.</summary>
    Number = 2,

    /// <summary>\s: White_Space.</summary>
    Space = 4,

    /// <summary>Carriage return or line feed; also <see cref="Space"/>.</summary>
    LineEnd = 8,

    /// <summary>\w of UTS #18: letters, marks, decimal digits, letter numbers, connectors, circled letters, joiners.</summary>
    Word = 16,

    /// <summary>\p{P}, or punctuation of ASCII by the C library's rule.</summary>
    Punctuation = 32,
}

internal static class CharacterClasses
{
    private static readonly CharacterClass[] BasicPlane = BuildBasicPlane();

    public static CharacterClass Of(int codePoint) =>
        (uint)codePoint < (uint)BasicPlane.Length ? BasicPlane[codePoint] : Classify(codePoint);

    /// <summary>White_Space as Unicode defines it; .NET's \s and char.IsWhiteSpace agree with it.</summary>
    public static bool IsWhiteSpace(int codePoint) => (Of(codePoint) & CharacterClass.Space) != 0;

    private static CharacterClass[] BuildBasicPlane()
    {
        var classes = new CharacterClass[0x10000];
        for (int i = 0; i < classes.Length; i++)
        {
            classes[i] = Classify(i);
        }

        return classes;
    }

    private static CharacterClass Classify(int codePoint)
    {
        CharacterClass result = CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            <= UnicodeCategory.OtherLetter => CharacterClass.Letter | CharacterClass.Word,
            <= UnicodeCategory.EnclosingMark => CharacterClass.Word,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber => CharacterClass.Number | CharacterClass.Word,
            UnicodeCategory.OtherNumber => CharacterClass.Number,
            UnicodeCategory.ConnectorPunctuation => CharacterClass.Word | CharacterClass.Punctuation,
            >= UnicodeCategory.DashPunctuation and <= UnicodeCategory.OtherPunctuation => CharacterClass.Punctuation,
            >= UnicodeCategory.SpaceSeparator and <= UnicodeCategory.ParagraphSeparator => CharacterClass.Space,
            _ => CharacterClass.Other,
        };
        if (codePoint is (>= 9 and <= 13) or 0x85)
        {
            result |= CharacterClass.Space;
        }

        if (codePoint is '\r' or '\n')
        {
            result |= CharacterClass.LineEnd;
        }

        if (codePoint < 0x80 && (char.IsPunctuation((char)codePoint) || char.IsSymbol((char)codePoint)))
        {
            result |= CharacterClass.Punctuation;
        }

        return IsCircledLetter(codePoint) || IsJoiner(codePoint) ? result | CharacterClass.Word : result;
    }

    /// <summary>Alphabetic (DerivedCoreProperties) symbols: circled, squared and regional letters.</summary>
    private static bool IsCircledLetter(int codePoint) => codePoint is (>= 0x24B6 and <= 0x24E9)
        or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    public static bool IsJoiner(int codePoint) => codePoint is 0x200C or 0x200D;
}
