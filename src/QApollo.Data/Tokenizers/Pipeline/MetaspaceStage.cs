using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Pipeline;

internal enum PrependScheme
{
    Always,
    Never,

    /// <summary>Only where the whole text begins.</summary>
    First,
}

/// <summary>Shows spaces as a mark (SentencePiece's U+2581), puts one in front, and cuts before each.</summary>
internal sealed class MetaspaceStage(byte[] mark, PrependScheme scheme, bool split, int buffer, PieceStage next) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        ByteBuffer marked = state.Buffer(buffer);
        bool begins = piece.StartsWith((byte)' ') || piece.StartsWith(mark);
        if (!begins && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && first)))
        {
            marked.Add(mark);
        }

        for (int space = piece.IndexOf((byte)' '); space >= 0; space = piece.IndexOf((byte)' '))
        {
            marked.Add(piece[..space]);
            marked.Add(mark);
            piece = piece[(space + 1)..];
        }

        marked.Add(piece);
        if (split)
        {
            Cut(marked.Written, first, state);
        }
        else
        {
            next.Accept(marked.Written, first, state);
        }
    }

    private void Cut(ReadOnlySpan<byte> text, bool first, EncodeState state)
    {
        while (!text.IsEmpty)
        {
            int length = text[1..].IndexOf(mark) + 1;
            length = length > 0 ? length : text.Length;
            next.Accept(text[..length], first, state);
            text = text[length..];
            first = false;
        }
    }
}
