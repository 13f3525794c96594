namespace QApollo.Data.Tokenizers.Pipeline;

/// <summary>One stage of splitting: takes a piece of text, hands its parts to the next stage; the last encodes.</summary>
internal abstract class PieceStage
{
    /// <param name="first">Whether the piece begins where the whole text begins.</param>
    public abstract void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state);
}
