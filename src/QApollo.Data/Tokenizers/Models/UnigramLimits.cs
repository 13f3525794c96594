namespace QApollo.Data.Tokenizers.Models;

/// <summary>Bounds that keep segmentation linear in the text whatever a file claims.</summary>
internal static class UnigramLimits
{
    /// <summary>Real vocabularies stay below 200 bytes.</summary>
    public const int MaxPieceBytes = 1024;

    /// <exception cref="UsageException">A token is longer than <see cref="MaxPieceBytes"/>.</exception>
    public static void CheckPiece(ReadOnlySpan<byte> piece, int id)
    {
        if (piece.Length > MaxPieceBytes)
        {
            throw new UsageException($"token {id} has {piece.Length} bytes; at most {MaxPieceBytes} are supported");
        }
    }
}
