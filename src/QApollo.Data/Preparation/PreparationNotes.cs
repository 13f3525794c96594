using System.Globalization;

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
