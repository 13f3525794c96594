namespace QApollo.Data.Tokenizers;

/// <summary>What becomes of the text of a special token (the end of a document, the start of a turn) inside a document.</summary>
public enum SpecialTokenMode
{
    /// <summary>It is text like any other: no document can end itself or forge a turn.</summary>
    Text,

    /// <summary>It becomes that token: for data that was rendered with a template.</summary>
    Parse,
}
