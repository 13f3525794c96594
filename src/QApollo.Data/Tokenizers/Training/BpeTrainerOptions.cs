namespace QApollo.Data.Tokenizers.Training;

/// <summary>How text is cut into words before merges are learned and applied.</summary>
public enum WordPattern
{
    /// <summary>Contractions in any case, numbers in groups of three digits, line ends apart.</summary>
    Llama3,

    /// <summary>The pattern of GPT-2.</summary>
    Gpt2,
}

/// <summary>What a <see cref="BpeTrainer"/> is to make.</summary>
public sealed record BpeTrainerOptions
{
    /// <summary>The 256 bytes and the end of a document: the smallest vocabulary.</summary>
    public const int SmallestVocabulary = 257;

    /// <summary>Tokens in all: bytes, merges, and the end of a document. At least <see cref="SmallestVocabulary"/>.</summary>
    public int VocabularySize { get; init; } = 32_000;

    /// <summary>Pairs that occur less often are not merged; the vocabulary then stays smaller. At least 1.</summary>
    public long MinFrequency { get; init; } = 2;

    /// <summary>Threads that count words; 0 takes all cores. The result does not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// The most distinct words that are kept while counting. Above it the rarest are forgotten, so that memory stays
    /// bounded (about 60 bytes a word) however long the text is. At least 1000.
    /// </summary>
    public int MaxWords { get; init; } = 8_000_000;

    public WordPattern Pattern { get; init; }

    public IProgress<BpeTrainingProgress>? Progress { get; init; }

    /// <exception cref="UsageException">A value is out of its range.</exception>
    internal void Check()
    {
        Require(VocabularySize is >= SmallestVocabulary and <= Models.TokenTable.MaxId, nameof(VocabularySize), $"{SmallestVocabulary} to {Models.TokenTable.MaxId}", VocabularySize);
        Require(MinFrequency >= 1, nameof(MinFrequency), "at least 1", MinFrequency);
        Require(Threads >= 0, nameof(Threads), "0 (all cores) or more", Threads);
        Require(MaxWords >= 1000, nameof(MaxWords), "at least 1000", MaxWords);
    }

    private static void Require(bool holds, string name, string range, long value)
    {
        if (!holds)
        {
            throw new UsageException($"tokenizer training: {name} is {value}, it must be {range}");
        }
    }
}

/// <summary>How far a training is.</summary>
/// <param name="BytesCounted">Bytes of text whose words are counted.</param>
/// <param name="Words">Distinct words so far.</param>
/// <param name="Tokens">Tokens of the vocabulary so far; 0 while words are still being counted.</param>
public sealed record BpeTrainingProgress(long BytesCounted, int Words, int Tokens);
