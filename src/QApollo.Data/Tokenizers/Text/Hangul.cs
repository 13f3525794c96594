namespace QApollo.Data.Tokenizers.Text;

/// <summary>Hangul syllables and their parts (The Unicode Standard, 3.12).</summary>
internal static class Hangul
{
    private const int SyllableBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TrailBase = 0x11A7;
    private const int Leads = 19;
    private const int Vowels = 21;
    private const int Trails = 28;

    public static bool IsSyllable(int codePoint) => codePoint is >= SyllableBase and < SyllableBase + (Leads * Vowels * Trails);

    /// <summary>Whether it is a vowel or trail, which composes with what is before it.</summary>
    public static bool IsVowelOrTrail(int codePoint) =>
        codePoint is (>= VowelBase and < VowelBase + Vowels) or (> TrailBase and < TrailBase + Trails);

    /// <summary>Trail is 0 without one.</summary>
    public static (int Lead, int Vowel, int Trail) Decompose(int syllable)
    {
        int index = syllable - SyllableBase;
        int trail = index % Trails;
        return (LeadBase + (index / (Vowels * Trails)), VowelBase + (index / Trails % Vowels), trail == 0 ? 0 : TrailBase + trail);
    }

    /// <summary>The syllable of two parts, -1 when they make none.</summary>
    public static int Compose(int first, int second)
    {
        if (first is >= LeadBase and < LeadBase + Leads && second is >= VowelBase and < VowelBase + Vowels)
        {
            return SyllableBase + ((((first - LeadBase) * Vowels) + second - VowelBase) * Trails);
        }

        bool open = IsSyllable(first) && (first - SyllableBase) % Trails == 0;
        return open && second is > TrailBase and < TrailBase + Trails ? first + second - TrailBase : -1;
    }
}
