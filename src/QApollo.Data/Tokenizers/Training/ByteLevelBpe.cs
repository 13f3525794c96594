namespace QApollo.Data.Tokenizers.Training;

/// <summary>A byte-level BPE vocabulary: the bytes, the merges in their order, the end of a document last.</summary>
public sealed class ByteLevelBpe
{
    internal ByteLevelBpe(WordPattern pattern, IReadOnlyList<byte[]> tokens, IReadOnlyList<(int Left, int Right)> merges)
    {
        Pattern = pattern;
        Tokens = tokens;
        Merges = merges;
    }

    /// <summary>Its text in tokenizer.json.</summary>
    public static string EndOfDocumentText => "<|endoftext|>";

    public WordPattern Pattern { get; }

    /// <summary>The bytes of each id, without <see cref="EndOfDocument"/>. The first 256 are single bytes.</summary>
    public IReadOnlyList<byte[]> Tokens { get; }

    /// <summary>Ids of neighbouring tokens, first merged first. What they make is in <see cref="Tokens"/>.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges { get; }

    public int EndOfDocument => Tokens.Count;

    public int VocabularySize => Tokens.Count + 1;
}
