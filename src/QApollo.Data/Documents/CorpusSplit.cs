namespace QApollo.Data;

/// <summary>The part of a data set that a file belongs to, by its name.</summary>
internal enum CorpusSplit
{
    None,
    Train,
    Validation,
    Test,
}

/// <summary>
/// Splits as Hugging Face's data sets name them, a word between separators: <c>data/train-00000-of-00002.parquet</c>,
/// <c>c4-validation.00000-of-00008.json.gz</c>, <c>validation/0.jsonl</c>, <c>test.txt</c>.
/// </summary>
internal static class CorpusSplits
{
    private static readonly char[] Separators = [.. "/\\-_. 0123456789"];

    /// <param name="relativePath">Inside the folder that was given.</param>
    public static CorpusSplit Of(string relativePath) =>
        relativePath.Split(Separators).Select(Named).FirstOrDefault(split => split != CorpusSplit.None);

    /// <summary>The data set's own description is no text of it.</summary>
    public static bool IsDataSetCard(string relativePath) => relativePath.Equals("README.md", StringComparison.OrdinalIgnoreCase);

    private static CorpusSplit Named(string word) => word.ToUpperInvariant() switch
    {
        "TRAIN" or "TRAINING" => CorpusSplit.Train,
        "VALIDATION" or "VALID" or "VAL" or "DEV" => CorpusSplit.Validation,
        "TEST" or "TESTING" or "EVAL" or "EVALUATION" => CorpusSplit.Test,
        _ => CorpusSplit.None,
    };
}

/// <summary>The files of a corpus by what they are for.</summary>
/// <param name="Text">To train on, in order.</param>
/// <param name="Validation">Of folders that tell their splits.</param>
/// <param name="LeftOut">Test splits, and descriptions of data sets.</param>
/// <param name="PassedOver">Files of folders that cannot be read as text, or are empty; paths.</param>
internal sealed record CorpusSelection(
    IReadOnlyList<CorpusFile> Text, IReadOnlyList<CorpusFile> Validation, IReadOnlyList<CorpusFile> LeftOut, IReadOnlyList<string> PassedOver);
