using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using QApollo.Data.Tokenizers;

namespace QApollo.Data;

/// <summary>
/// Names a dataset by everything its shards depend on: the files' content and order (not their paths), the tokenizer, and
/// the options. Equal keys, equal bytes.
/// </summary>
internal static class DatasetKey
{
    /// <returns>32 hexadecimal digits.</returns>
    public static string Of(IReadOnlyList<CorpusFile> files, string[] hashes, ITokenizer tokenizer, PreparationOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(FormattableString line) => hash.AppendData(Encoding.UTF8.GetBytes(line.ToString(CultureInfo.InvariantCulture) + "\n"));

        Add($"{DatasetManifest.FormatName} {DatasetManifest.CurrentVersion}");
        Add($"tokenizer {tokenizer.Fingerprint} {tokenizer.VocabularySize} {tokenizer.EndOfDocument}");
        if (tokenizer.BeginOfDocument is int start)
        {
            Add($"begin {start}");
        }

        Add($"special tokens {(tokenizer.ParsesSpecialTokens ? SpecialTokenMode.Parse : SpecialTokenMode.Text)}");
        Add($"pieces {TextPiece.MaxBytes} shards {options.ShardTokens}");
        Add($"held out {options.HeldOutFraction:R} {options.SplitSeed}");
        for (int i = 0; i < files.Count; i++)
        {
            string field = files[i].HasRows ? options.TextField : string.Empty;

            // The words are frozen: datasets prepared before there was Zstandard are found again.
            string compression = files[i].Compression switch { FileCompression.None => "False", FileCompression.Gzip => "True", _ => "Zstandard" };
            Add($"{files[i].Format} {compression} {hashes[i]} {field}");
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
