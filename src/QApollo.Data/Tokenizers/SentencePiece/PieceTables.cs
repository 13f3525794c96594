using System.Globalization;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>The pieces of a model by text and kind, checked.</summary>
internal sealed class PieceTables
{
    /// <exception cref="UsageException">Two pieces are the same, or one that must be there is not.</exception>
    public PieceTables(SentencePieceFile file)
    {
        Pieces = file.Pieces;
        ByText = new TokenTable(Pieces.Count);
        int[] bytes = new int[256];
        Array.Fill(bytes, -1);
        for (int id = 0; id < Pieces.Count; id++)
        {
            Piece piece = Pieces[id];
            int same = ByText.Find(piece.Text);
            if (same >= 0)
            {
                throw Error(id, $"is the same as piece {same}");
            }

            ByText.Set(piece.Text, id);
            switch (piece.Type)
            {
                case PieceType.Unknown:
                    Unknown = Unknown < 0 ? id : throw Error(id, $"is a second unknown piece beside {Unknown}");
                    break;
                case PieceType.UserDefined:
                    UserDefined.Add(piece.Text, id);
                    break;
                case PieceType.Byte:
                    int value = BpeModel.ByteOf(piece.Text);
                    bytes[value >= 0 ? value : throw Error(id, "is a byte piece but not written as <0x00>")] = id;
                    break;
            }
        }

        if (Unknown < 0)
        {
            throw new UsageException("it has no unknown piece");
        }

        if (file.ByteFallback && Array.IndexOf(bytes, -1) is int missing and >= 0)
        {
            throw new UsageException($"it falls back to bytes but has no piece {BpeModel.ByteToken(missing)}");
        }

        Bytes = file.ByteFallback ? bytes : null;
    }

    public IReadOnlyList<Piece> Pieces { get; }

    public TokenTable ByText { get; }

    public ByteTrie UserDefined { get; } = new();

    public int Unknown { get; } = -1;

    /// <summary>The id of each byte where unknown characters fall back to bytes, else null.</summary>
    public int[]? Bytes { get; }

    /// <summary>Whether segmentation can produce the piece from text.</summary>
    public static bool IsText(Piece piece) => piece.Type is PieceType.Normal or PieceType.UserDefined;

    /// <summary>Whether no piece goes on with a word mark after another character.</summary>
    public bool StayInWord => Pieces.All(piece => !IsText(piece) || BpeModel.StaysInWord(piece.Text));

    private static UsageException Error(int id, string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"piece {id} {what}"));
}
