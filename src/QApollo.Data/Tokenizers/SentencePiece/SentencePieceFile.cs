using System.Globalization;
using QApollo.Data.Tokenizers.Models;

namespace QApollo.Data.Tokenizers.SentencePiece;

/// <summary>As in sentencepiece_model.proto.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

internal enum ModelType
{
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Character = 4,
}

internal sealed record Piece(byte[] Text, float Score, PieceType Type);

/// <summary>What a SentencePiece .model file says, with the defaults of sentencepiece_model.proto.</summary>
internal sealed class SentencePieceFile
{
    public List<Piece> Pieces { get; } = [];

    public ModelType ModelType { get; private set; } = ModelType.Unigram;

    public bool ByteFallback { get; private set; }

    public bool WhitespaceAsSuffix { get; private set; }

    public byte[] EndPiece { get; private set; } = "</s>"u8.ToArray();

    /// <summary>What an unknown piece decodes to.</summary>
    public byte[] UnknownSurface { get; private set; } = " \u2047 "u8.ToArray();

    public byte[] CharacterMap { get; private set; } = [];

    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraWhitespaces { get; private set; } = true;

    public bool EscapeWhitespaces { get; private set; } = true;

    /// <exception cref="UsageException">The bytes are no model, or a damaged one.</exception>
    public static SentencePieceFile Read(ReadOnlySpan<byte> bytes)
    {
        var file = new SentencePieceFile();
        var reader = new ProtobufReader(bytes);
        while (reader.MoveNext())
        {
            switch (reader.Field)
            {
                case 1:
                    file.ReadPiece(reader.Bytes);
                    break;
                case 2:
                    file.ReadTrainer(reader.Bytes);
                    break;
                case 3:
                    file.ReadNormalizer(reader.Bytes);
                    break;
            }
        }

        return file.Pieces.Count > 0
            ? file
            : throw new UsageException("it is no SentencePiece model, or a damaged one: it has no pieces");
    }

    private void ReadPiece(ReadOnlySpan<byte> message)
    {
        byte[] text = [];
        float score = 0;
        PieceType type = PieceType.Normal;
        var reader = new ProtobufReader(message);
        while (reader.MoveNext())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Bytes.ToArray();
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    type = (PieceType)reader.Int32;
                    break;
            }
        }

        string? wrong = text.Length == 0 ? "is empty"
            : !float.IsFinite(score) ? "has no finite score"
            : !Enum.IsDefined(type) ? "is of a type that does not exist"
            : Pieces.Count > TokenTable.MaxId ? "is one too many"
            : null;
        if (wrong is not null)
        {
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"piece {Pieces.Count} {wrong}"));
        }

        UnigramLimits.CheckPiece(text, Pieces.Count);
        Pieces.Add(new Piece(text, score, type));
    }

    private void ReadTrainer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message);
        while (reader.MoveNext())
        {
            switch (reader.Field)
            {
                case 3:
                    ModelType = (ModelType)reader.Int32;
                    break;
                case 24:
                    WhitespaceAsSuffix = reader.Flag;
                    break;
                case 35:
                    ByteFallback = reader.Flag;
                    break;
                case 44:
                    UnknownSurface = reader.Bytes.ToArray();
                    break;
                case 47:
                    EndPiece = reader.Bytes.ToArray();
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message);
        while (reader.MoveNext())
        {
            switch (reader.Field)
            {
                case 2:
                    CharacterMap = reader.Bytes.ToArray();
                    break;
                case 3:
                    AddDummyPrefix = reader.Flag;
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Flag;
                    break;
                case 5:
                    EscapeWhitespaces = reader.Flag;
                    break;
            }
        }
    }
}
