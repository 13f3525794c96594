using QApollo.Data.Tokenizers.Training;

namespace QApollo.Data.Tokenizers.Patterns;

/// <summary>The splitting patterns that have a matcher of their own, and the choice of a matcher for any pattern.</summary>
internal static class UsualPatterns
{
    /// <summary>Radford et al., "Language models are unsupervised multitask learners" (GPT-2), encoder.py.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3 (and cl100k): numbers in groups of three, line ends apart, contractions in any case.</summary>
    public const string Llama3 = Llama3Start + "{1,3}" + Llama3End;

    /// <summary>Qwen 2: as Llama 3, with one digit at a time.</summary>
    public const string Qwen2 = Llama3Start + Llama3End;

    /// <summary>o200k_base (GPT-4o): words by case, with their contractions.</summary>
    public const string O200k =
        "[^\\r\\n\\p{L}\\p{N}]?" + Upper + "*" + Lower + "+" + Contraction + "|[^\\r\\n\\p{L}\\p{N}]?" + Upper + "+" + Lower + "*" + Contraction
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    private const string Llama3Start = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}";
    private const string Llama3End = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public static string Of(WordPattern pattern) => pattern == WordPattern.Gpt2 ? Gpt2 : Llama3;

    /// <exception cref="UsageException">The pattern is malformed or not supported.</exception>
    public static ITextMatcher Matcher(string pattern) => pattern switch
    {
        Gpt2 => new Gpt2Matcher(),
        Llama3 => new Llama3Matcher(digits: 3),
        Qwen2 => new Llama3Matcher(digits: 1),
        _ => new PatternMatcher(new PatternProgram(pattern)),
    };
}
