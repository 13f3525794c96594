using System.Globalization;
using QApollo.Memory;

namespace QApollo.Data;

/// <summary>What a person should know about prepared data, a line each.</summary>
internal static class PreparationNotes
{
    public static IEnumerable<string> Replaced(DatasetManifest manifest)
    {
        SourceRecord[] replaced = [.. manifest.Sources.Where(source => source.Replaced > 0)];
        if (replaced.Length > 0)
        {
            string others = replaced.Length > 1 ? $" and {replaced.Length - 1} more files" : string.Empty;
            yield return $"replaced {manifest.Replaced} invalid UTF-8 sequences by U+FFFD (in {replaced[0].Path}{others}); --strict refuses them";
        }
    }

    public static IEnumerable<string> Skipped(DatasetManifest manifest)
    {
        SourceRecord[] skipped = [.. manifest.Sources.Where(source => source.Skipped > 0)];
        if (skipped.Length > 0)
        {
            long rows = skipped.Sum(source => source.Skipped ?? 0);
            string others = skipped.Length > 1 ? $"; and in {skipped.Length - 1} more files" : string.Empty;
            yield return $"skipped {rows} rows without text (first: {skipped[0].Path}, {skipped[0].FirstSkipped}{others}); --strict refuses them";
        }
    }

    /// <param name="takesSplit">The files of validation are the validation data.</param>
    /// <param name="outputFolder">Has the training data alone.</param>
    public static IEnumerable<string> Splits(CorpusSelection selection, bool takesSplit, string? outputFolder)
    {
        if (takesSplit)
        {
            yield return $"validation is the data set's own split: {Files(selection.Validation)}";
            if (outputFolder is not null)
            {
                yield return $"{outputFolder} has the tokens of training only: give the split's files to train as --valid-data";
            }
        }

        CorpusFile[] leftOut = [.. takesSplit ? [] : selection.Validation, .. selection.LeftOut];
        if (leftOut.Length > 0)
        {
            yield return $"left out of the data set: {Files(leftOut)}; name files to read them";
        }
    }

    public static IEnumerable<string> PassedOver(CorpusSelection selection)
    {
        if (selection.PassedOver.Count > 0)
        {
            string first = selection.PassedOver.Min(StringComparer.Ordinal)!;
            string what = selection.PassedOver.Count == 1 ? $"1 file that is empty or no text ({first})" : $"{selection.PassedOver.Count} files that are empty or no text (first: {first})";
            yield return $"passed over {what}; read are {CorpusFile.ReadableFormats}";
        }
    }

    public static IEnumerable<string> Removed(IReadOnlyList<CachedDataset> removed, long limit)
    {
        if (removed.Count > 0)
        {
            string what = removed.Count == 1 ? "1 dataset that was" : $"{removed.Count} datasets that were";
            yield return $"the cache had more than {ByteSize.Format(limit)}: {what} not used for longest, {ByteSize.Format(removed.Sum(dataset => dataset.Bytes))}, went";
        }
    }

    private static string Files(IReadOnlyList<CorpusFile> files) =>
        files.Count == 1 ? files[0].Path : $"{files[0].Path} and {files.Count - 1} more files";

    public static IEnumerable<string> FewDocuments(TokenRange train, TokenRange validation)
    {
        yield return $"too few documents to hold out whole ones: validation is the last {Share(train, validation)} of the text";
    }

    public static IEnumerable<string> NoSplit(TokenRange train, TokenRange validation)
    {
        if (validation.Count > 0)
        {
            yield return $"the token shards have no validation part: it is the last {Share(train, validation)} of them";
        }
    }

    private static string Share(TokenRange train, TokenRange validation) =>
        ((double)validation.Count / (train.Count + validation.Count)).ToString("P1", CultureInfo.InvariantCulture);
}
