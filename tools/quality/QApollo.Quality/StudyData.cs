using System.Runtime.InteropServices;
using System.Security.Cryptography;
using QApollo.Data;
using QApollo.Data.Tokenizers;

namespace QApollo.Quality;

/// <summary>Text as tokens, with a held-out share that is the same for all seeds.</summary>
internal sealed class StudyData : IDisposable
{
    private const int MaxBytes = 64 << 20;
    private const double ValidShare = 0.01;

    private StudyData(PreparedData prepared, ITokenizer tokenizer, string fingerprint) =>
        (Prepared, EndOfDocument, VocabularySize, Fingerprint) = (prepared, tokenizer.EndOfDocument, tokenizer.VocabularySize, fingerprint);

    public PreparedData Prepared { get; }

    public int EndOfDocument { get; }

    /// <summary>Ids of the tokenizer, which the model must have rows for.</summary>
    public int VocabularySize { get; }

    /// <summary>Of the training tokens, to tell whether two results are of one text.</summary>
    public string Fingerprint { get; }

    /// <param name="paths">Files; the .NET SDK's documentation where there are none.</param>
    /// <param name="tokenizerPath">What --tokenizer of `qapollo train` takes; "bytes" for none.</param>
    public static StudyData Open(IReadOnlyList<string> paths, string tokenizerPath = "bytes")
    {
        ITokenizer tokenizer = TokenizerLoader.Load(tokenizerPath);
        PreparedData data = paths.Count > 0
            ? CorpusPreparation.Prepare(new PreparationOptions { Data = [.. paths], SplitSeed = 1 }, tokenizer, null, default)
            : PreparedData.InMemory(tokenizer, SdkDocumentation.Find().ReadDocuments(MaxBytes), ValidShare, 1);
        return new StudyData(data, tokenizer, Hash(data.Train));
    }

    public void Dispose() => Prepared.Dispose();

    private static string Hash(TokenDataset tokens)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int[] block = new int[1 << 16];
        for (long start = 0; start < tokens.Count; start += block.Length)
        {
            Span<int> ids = block.AsSpan(0, (int)Math.Min(block.Length, tokens.Count - start));
            tokens.Read(start, ids);
            hash.AppendData(MemoryMarshal.AsBytes(ids));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }
}
