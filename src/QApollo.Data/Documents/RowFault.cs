namespace QApollo.Data;

/// <summary>Why a row is no text.</summary>
/// <param name="IsWrong">A field that is missing or no string, or a broken row; not: null or empty.</param>
internal sealed record RowFault(string Message, bool IsWrong)
{
    public static RowFault Null { get; } = new("null", false);

    public static RowFault Empty { get; } = new("empty", false);

    public static RowFault Wrong(string message) => new(message, true);
}
