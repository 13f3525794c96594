namespace QApollo.Data.Tokenizers.Models;

/// <summary>A token that is looked for in the text before anything else.</summary>
/// <param name="Content">UTF-8.</param>
/// <param name="SingleWord">It does not count where a word character touches it.</param>
/// <param name="LeftStrip">It takes the white space before it along.</param>
/// <param name="RightStrip">It takes the white space after it along.</param>
/// <param name="Normalized">It is looked for in the normalized text, in its own normalized form.</param>
/// <param name="Special">It controls (ends a document, begins a turn) and is no text.</param>
internal sealed record AddedToken(
    int Id, byte[] Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special);
