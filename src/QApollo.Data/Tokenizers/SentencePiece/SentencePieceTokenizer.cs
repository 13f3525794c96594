using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using QApollo.Data.Tokenizers.HuggingFace;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>A SentencePiece .model (Kudo and Richardson, arXiv 1808.06226): BPE or unigram.</summary>
internal sealed class SentencePieceTokenizer : ITokenizer
{
    private readonly EncodeStatePool _states = new();
    private readonly SentencePieceNormalizer _normalizer;
    private readonly PieceStage _model;
    private readonly AddedTokenMatcher _control;
    private readonly AddedTokenMatcher _userDefined;
    private readonly byte[]?[] _texts;
    private readonly bool[] _silent;
    private readonly bool _dropsFirstSpace;
    private readonly bool _dropsFirstSpaces;

    /// <param name="folder">Where tokenizer_config.json may lie; null without one.</param>
    /// <exception cref="UsageException">The bytes are no model, a damaged one, or need what is not supported.</exception>
    public SentencePieceTokenizer(ReadOnlySpan<byte> bytes, SpecialTokenMode specialTokens = SpecialTokenMode.Text, string? folder = null)
    {
        ParsesSpecialTokens = specialTokens == SpecialTokenMode.Parse;
        SentencePieceFile file = SentencePieceFile.Read(bytes);
        var tables = new PieceTables(file);
        bool bpe = file.ModelType == ModelType.Bpe;
        _model = file.ModelType switch
        {
            ModelType.Bpe => SentencePieceModels.Bpe(tables),
            ModelType.Unigram => SentencePieceModels.Unigram(tables),
            _ => throw new UsageException($"its model type {file.ModelType} is not supported; known are BPE and unigram"),
        };
        Description = bpe ? "BPE (SentencePiece)" : "unigram (SentencePiece)";
        VocabularySize = file.Pieces.Count;
        EndOfDocument = tables.ByText.Find(file.EndPiece);
        if (EndOfDocument < 0)
        {
            throw new UsageException("no piece ends a document: it was trained without </s>");
        }

        int Find(string piece) => tables.ByText.Find(Encoding.UTF8.GetBytes(piece));
        BeginOfDocument = BeginOfDocumentToken.FindForSentencePiece(folder, Find("<s>"), Find);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(bytes));
        _normalizer = new SentencePieceNormalizer(file, tables.UserDefined);

        // SentencePiece itself never makes control pieces from text.
        _control = Matcher(file, piece => ParsesSpecialTokens && piece.Type == PieceType.Control);

        // In a unigram model these pieces win by their score; BPE needs them cut out.
        _userDefined = Matcher(file, piece => bpe && piece.Type == PieceType.UserDefined);
        _texts = [.. file.Pieces.Select(piece => DecodedText(piece, file))];
        _silent = [.. file.Pieces.Select(piece => piece.Type is PieceType.Control or PieceType.Unknown or PieceType.Byte)];
        _dropsFirstSpaces = file.RemoveExtraWhitespaces;
        _dropsFirstSpace = file.AddDummyPrefix || file.RemoveExtraWhitespaces;
    }

    public string Description { get; }

    public int VocabularySize { get; }

    public int EndOfDocument { get; }

    public int? BeginOfDocument { get; }

    public string Fingerprint { get; }

    public bool ParsesSpecialTokens { get; }

    /// <inheritdoc/>
    /// <remarks>Between control pieces that are parsed, each part is encoded like a text of its own.</remarks>
    public void Encode(ReadOnlySpan<byte> utf8, IBufferWriter<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        EncodeState state = _states.Rent();
        state.Begin(utf8.Length, ids);
        var walk = new AddedTokenMatcher.Walk(_control, utf8);
        bool found;
        do
        {
            found = walk.MoveNext();
            EncodePart(utf8[walk.Gap.Start..walk.Gap.End], state);
            if (found)
            {
                state.Add(walk.Id);
            }
        }
        while (found);
        state.End();
        _states.Return(state);
    }

    private void EncodePart(ReadOnlySpan<byte> utf8, EncodeState state)
    {
        ByteBuffer buffer = state.Buffer(0);
        _normalizer.Apply(utf8, buffer);
        ReadOnlySpan<byte> text = buffer.Written;
        var walk = new AddedTokenMatcher.Walk(_userDefined, text);
        bool found;
        do
        {
            found = walk.MoveNext();
            _model.Accept(text[walk.Gap.Start..walk.Gap.End], first: false, state);
            if (found)
            {
                state.Add(walk.Id);
            }
        }
        while (found);
    }

    /// <summary>Finds the pieces of a kind in a text.</summary>
    private static AddedTokenMatcher Matcher(SentencePieceFile file, Func<Piece, bool> belongs) => new(
        file.Pieces.Select((piece, id) => (piece, id))
            .Where(item => belongs(item.piece))
            .Select(item => new AddedToken(item.id, item.piece.Text, false, false, false, false, false)),
        SpecialTokenMode.Parse);

    /// <inheritdoc/>
    /// <remarks>The space that encoding puts in front is dropped again; control pieces have no bytes.</remarks>
    public void Decode(ReadOnlySpan<int> ids, IBufferWriter<byte> utf8)
    {
        ArgumentNullException.ThrowIfNull(utf8);
        bool first = _dropsFirstSpace;
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)_texts.Length)
            {
                throw new ArgumentOutOfRangeException(nameof(ids), id, "the id is not in the tokenizer's vocabulary");
            }

            ReadOnlySpan<byte> text = _texts[id];
            if (first && !_silent[id] && text.StartsWith((byte)' '))
            {
                // Where white space is squeezed, the spaces of several pieces may go, until something is written.
                text = text[1..];
                first = _dropsFirstSpaces;
            }

            first &= text.IsEmpty;
            utf8.Write(text);
        }
    }

    private static byte[] DecodedText(Piece piece, SentencePieceFile file) => piece.Type switch
    {
        PieceType.Control => [],
        PieceType.Unknown => file.UnknownSurface,
        PieceType.Byte => BpeModel.ByteOf(piece.Text) is int value and >= 0 ? [(byte)value] : piece.Text,
        _ => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(piece.Text).Replace('\u2581', ' ')),
    };
}
