namespace QApollo.Data;

/// <summary>Invalid UTF-8 (or lone surrogates of JSON) replaced by U+FFFD.</summary>
/// <param name="Count">Sequences replaced.</param>
/// <param name="FirstOffset">Byte of the file's content where the first was, in a .parquet its row; -1: none.</param>
internal readonly record struct Replacements(long Count, long FirstOffset)
{
    public static Replacements None { get; } = new(0, -1);

    public static string Describe(string path, long firstOffset) =>
        $"invalid UTF-8 {(path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase) ? "in row" : "at byte")} {firstOffset}";

    public Replacements Add(long count, long offset) => new(Count + count, Count > 0 ? Math.Min(FirstOffset, offset) : offset);

    /// <summary>With those that come later in the file.</summary>
    public Replacements Then(Replacements later) => later.Count == 0 ? this : Add(later.Count, later.FirstOffset);
}

/// <summary>Rows (lines of a .jsonl, rows of a .parquet) that gave text, and those that did not.</summary>
/// <param name="WithTexts">Rows that gave text.</param>
/// <param name="Count">Rows skipped: null, empty, of another type, or broken.</param>
/// <param name="Wrong">Those of them that were neither null nor empty.</param>
/// <param name="First">Place and fault of the first one skipped.</param>
internal readonly record struct SkippedRows(long WithTexts, long Count, long Wrong, string? First)
{
    /// <summary>After so many wrong rows without a single text the field is wrong, not the rows.</summary>
    private const long Patience = 10_000;

    public static SkippedRows None => default;

    public SkippedRows WithText() => this with { WithTexts = WithTexts + 1 };

    public SkippedRows Without(string place, bool isWrong) => new(WithTexts, Count + 1, Wrong + (isWrong ? 1 : 0), First ?? place);

    /// <summary>With those that come later in the file.</summary>
    public SkippedRows Then(SkippedRows later) =>
        new(WithTexts + later.WithTexts, Count + later.Count, Wrong + later.Wrong, First ?? later.First);

    /// <param name="atEnd">The file ends with these rows.</param>
    /// <exception cref="InvalidFileException">No row has text, and not because they are all null or empty.</exception>
    public void RequireText(string path, bool atEnd)
    {
        if (WithTexts == 0 && Wrong > 0 && (atEnd || Wrong >= Patience))
        {
            throw new InvalidFileException(path, $"none of its {(atEnd ? string.Empty : "first ")}{Count} rows has text; the first is {First}");
        }
    }
}
