using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Pipeline;

/// <summary>Puts a space before a piece that has none (add_prefix_space).</summary>
internal sealed class PrefixSpaceStage(int buffer, PieceStage next) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        if (piece.StartsWith((byte)' '))
        {
            next.Accept(piece, first, state);
            return;
        }

        ByteBuffer text = state.Buffer(buffer);
        text.Add((byte)' ');
        text.Add(piece);
        next.Accept(text.Written, first, state);
    }
}

/// <summary>Bytes to their characters, for stages that come after ByteLevel and look at those.</summary>
internal sealed class MapBytesStage(int buffer, PieceStage next) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        ByteBuffer text = state.Buffer(buffer);
        ByteLevelAlphabet.Map(piece, text);
        next.Accept(text.Written, first, state);
    }
}

/// <summary>Back from <see cref="MapBytesStage"/>; the stages between only cut.</summary>
internal sealed class UnmapBytesStage(int buffer, PieceStage next) : PieceStage
{
    public override void Accept(ReadOnlySpan<byte> piece, bool first, EncodeState state)
    {
        ByteBuffer text = state.Buffer(buffer);
        ByteLevelAlphabet.TryUnmap(piece, text);
        next.Accept(text.Written, first, state);
    }
}
