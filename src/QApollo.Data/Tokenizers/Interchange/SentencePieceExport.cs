using System.Text;
using System.Text.Json.Nodes;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Data.Tokenizers.SentencePiece;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>A SentencePiece .model.</summary>
internal sealed class SentencePieceExport : TokenizerExport
{
    private const string ModelFile = "tokenizer.model";

    private readonly byte[] _content;
    private readonly SentencePieceFile _file;
    private readonly PieceTables _tables;
    private readonly TokenizerCompanions _companions;

    /// <param name="folder">Where the files that come with it lie; null without one.</param>
    /// <exception cref="UsageException">The bytes are no model, or one that this program cannot use.</exception>
    public SentencePieceExport(byte[] content, string? folder)
    {
        _ = new SentencePieceTokenizer(content);
        _content = content;
        _file = SentencePieceFile.Read(content);
        _tables = new PieceTables(_file);
        _companions = new TokenizerCompanions(folder);
    }

    private bool IsBpe => _file.ModelType == ModelType.Bpe;

    public override IReadOnlyList<InterchangeFile> HuggingFaceFiles(DocumentTokens tokens)
    {
        JsonObject json = SentencePieceJson.Create(_file, _tables);
        if (tokens.Begin is int begin)
        {
            json["post_processor"] = BeginTokenTemplate.Create(Text(begin), begin);
        }

        InterchangeFile config = _companions.ConfigOr(() => TokenizerConfigJson.Create(
            tokens.Begin is int first ? Text(first) : null, Text(tokens.End), Text(_tables.Unknown), tokens.MaxLength));
        return [InterchangeJson.File("tokenizer.json", json), config, new InterchangeFile(ModelFile, _content), .. _companions.Files(except: ModelFile)];
    }

    public override int? BeginToken(DocumentTokens tokens) => tokens.Begin;

    public override GgufVocabulary Gguf(DocumentTokens tokens)
    {
        if (!_file.EscapeWhitespaces || _file.WhitespaceAsSuffix)
        {
            throw new UsageException("llama.cpp has no tokenizer that treats spaces as this SentencePiece model does; use --format hf");
        }

        if (IsBpe && _tables.Bytes is null)
        {
            throw new UsageException("llama.cpp needs a piece for each byte in a BPE model of SentencePiece, and this one has none; use --format hf");
        }

        return new GgufVocabulary
        {
            Model = IsBpe ? "llama" : "t5",
            PreTokenizer = "default",
            Tokens = [.. _file.Pieces.Select(piece => piece.Text)],
            Types = [.. _file.Pieces.Select(TypeOf)],
            Scores = IsBpe ? [.. _file.Pieces.Select(piece => piece.Score)] : [.. SentencePieceModels.UnigramScores(_tables).Select(score => (float)score)],
            BeginToken = tokens.Begin,
            EndToken = tokens.End,
            UnknownToken = _tables.Unknown,
            AddsBeginToken = tokens.Begin is not null,
            AddsSpacePrefix = _file.AddDummyPrefix,
            RemovesExtraSpaces = _file.RemoveExtraWhitespaces,
            ChatTemplate = _companions.ChatTemplate(),
            CharacterMap = !IsBpe && _file.CharacterMap.Length > 0 ? _file.CharacterMap : null,
            Notes = [.. Notes()],
        };
    }

    /// <summary>
    /// Around user-defined tokens llama.cpp treats spaces as at the ends of a text. Pieces of a unigram model win by their score
    /// and need not be user-defined there.
    /// </summary>
    private GgufTokenType TypeOf(Piece piece) => piece.Type == PieceType.UserDefined && !IsBpe ? GgufTokenType.Normal : (GgufTokenType)(int)piece.Type;

    private IEnumerable<string> Notes()
    {
        if (IsBpe && _file.AddDummyPrefix && !_tables.UserDefined.IsEmpty)
        {
            yield return "llama.cpp puts a space after each user-defined piece, where SentencePiece puts none: text behind them becomes other tokens there";
        }

        if (IsBpe && (_file.CharacterMap.Length > 0 || _file.RemoveExtraWhitespaces))
        {
            yield return "llama.cpp does not normalize text for this kind of tokenizer: characters and spaces that the SentencePiece model changes become other tokens there";
        }

        if (!IsBpe && _tables.Bytes is not null)
        {
            yield return "llama.cpp has no bytes in unigram models: characters without a piece become the unknown token there";
        }
    }

    private string Text(int id) => Encoding.UTF8.GetString(_file.Pieces[id].Text);
}
