using System.Buffers;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Normalizers;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>
/// A tokenizer.json: added tokens are cut out of the text, the rest is normalized, cut into words, and each word is
/// encoded by the model. Of the post-processor only the start token is taken, as <see cref="BeginOfDocument"/>.
/// </summary>
internal sealed class HuggingFaceTokenizer : ITokenizer
{
    // Buffers of the stages count from 2.
    internal const int FirstStageBuffer = 2;

    private readonly EncodeStatePool _states = new();

    public required string Description { get; init; }

    public required int VocabularySize { get; init; }

    public required int EndOfDocument { get; init; }

    public int? BeginOfDocument { get; init; }

    public required string Fingerprint { get; init; }

    public required bool ParsesSpecialTokens { get; init; }

    public required AddedTokenMatcher RawTokens { get; init; }

    public required AddedTokenMatcher NormalizedTokens { get; init; }

    public required IReadOnlyList<TextNormalizer> Normalizers { get; init; }

    public required PieceStage Stages { get; init; }

    public required TokenDecoder Decoder { get; init; }

    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        EncodeState state = _states.Rent();
        state.Begin(utf8.Length, ids);
        var walk = new AddedTokenMatcher.Walk(RawTokens, utf8);
        bool found;
        do
        {
            found = walk.MoveNext();
            EncodeSegment(utf8[walk.Gap.Start..walk.Gap.End], walk.Gap.Start == 0, state);
            if (found)
            {
                state.Add(walk.Id);
            }
        }
        while (found);
        state.End();
        _states.Return(state);
    }

    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        ArgumentNullException.ThrowIfNull(utf8);
        Decoder.Decode(ids, utf8);
    }

    private void EncodeSegment(ReadOnlySpan<byte> text, bool first, EncodeState state)
    {
        text = Normalize(text, Normalizers, state);
        var walk = new AddedTokenMatcher.Walk(NormalizedTokens, text);
        bool found;
        do
        {
            found = walk.MoveNext();
            EncodePiece(text[walk.Gap.Start..walk.Gap.End], first && walk.Gap.Start == 0, state);
            if (found)
            {
                state.Add(walk.Id);
            }
        }
        while (found);
    }

    private void EncodePiece(ReadOnlySpan<byte> text, bool first, EncodeState state)
    {
        if (!text.IsEmpty)
        {
            Stages.Accept(text, first, state);
        }
    }

    /// <summary>The text after all normalizers, in one of the first two buffers of the state.</summary>
    internal static ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text, IReadOnlyList<TextNormalizer> normalizers, EncodeState state)
    {
        for (int i = 0; i < normalizers.Count && !text.IsEmpty; i++)
        {
            ByteBuffer output = state.Buffer(i % FirstStageBuffer);
            normalizers[i].Apply(text, state, output);
            text = output.Written;
        }

        return text;
    }
}
