using System.Text;
using System.Text.Json.Nodes;
using QApollo.Data.Tokenizers.SentencePiece;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.Interchange;

/// <summary>A SentencePiece model as tokenizer.json: its character map and space rules as a normalizer, its pieces as BPE or Unigram.</summary>
internal static class SentencePieceJson
{
    private const string Mark = "\u2581";

    public static JsonObject Create(SentencePieceFile file, PieceTables tables) => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = AddedTokens(tables, file.ModelType == ModelType.Bpe),
        ["normalizer"] = Normalizer(file),
        ["pre_tokenizer"] = null,
        ["post_processor"] = null,
        ["decoder"] = Decoder(file),
        ["model"] = file.ModelType == ModelType.Bpe ? Bpe(tables) : Unigram(tables),
    };

    /// <summary>User-defined pieces of a unigram model win by their score; cut out as added tokens, the text around them would begin anew.</summary>
    private static JsonArray AddedTokens(PieceTables tables, bool isBpe)
    {
        var added = new JsonArray();
        for (int id = 0; id < tables.Pieces.Count; id++)
        {
            if (tables.Pieces[id].Type is PieceType.Control or PieceType.Unknown || (isBpe && tables.Pieces[id].Type == PieceType.UserDefined))
            {
                added.Add((JsonNode)new JsonObject
                {
                    ["id"] = id,
                    ["content"] = TextOf(tables.Pieces[id]),
                    ["single_word"] = false,
                    ["lstrip"] = false,
                    ["rstrip"] = false,
                    ["normalized"] = false,
                    ["special"] = tables.Pieces[id].Type != PieceType.UserDefined,
                });
            }
        }

        return added;
    }

    private static JsonObject Normalizer(SentencePieceFile file)
    {
        var steps = new JsonArray();
        if (file.CharacterMap.Length > 0)
        {
            steps.Add((JsonNode)new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = Convert.ToBase64String(file.CharacterMap) });
        }

        if (file.RemoveExtraWhitespaces)
        {
            steps.Add((JsonNode)new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["Regex"] = " {2,}" }, ["content"] = " " });
            steps.Add((JsonNode)new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["Regex"] = @"\A | \z" }, ["content"] = string.Empty });
        }

        if (file.AddDummyPrefix)
        {
            steps.Add((JsonNode)new JsonObject { ["type"] = "Prepend", ["prepend"] = Mark });
        }

        steps.Add((JsonNode)new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = " " }, ["content"] = Mark });
        return new JsonObject { ["type"] = "Sequence", ["normalizers"] = steps };
    }

    private static JsonObject Decoder(SentencePieceFile file)
    {
        var steps = new JsonArray(
            new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = Mark }, ["content"] = " " },
            new JsonObject { ["type"] = "ByteFallback" },
            new JsonObject { ["type"] = "Fuse" });
        if (file.AddDummyPrefix)
        {
            steps.Add((JsonNode)new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 });
        }

        return new JsonObject { ["type"] = "Sequence", ["decoders"] = steps };
    }

    private static JsonObject Unigram(PieceTables tables)
    {
        var vocabulary = new JsonArray();
        double[] scores = SentencePieceModels.UnigramScores(tables);
        for (int id = 0; id < scores.Length; id++)
        {
            vocabulary.Add((JsonNode)new JsonArray(TextOf(tables.Pieces[id]), scores[id]));
        }

        return new JsonObject { ["type"] = "Unigram", ["unk_id"] = tables.Unknown, ["vocab"] = vocabulary, ["byte_fallback"] = tables.Bytes is not null };
    }

    private static JsonObject Bpe(PieceTables tables)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < tables.Pieces.Count; id++)
        {
            vocabulary[TextOf(tables.Pieces[id])] = id;
        }

        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = TextOf(tables.Pieces[tables.Unknown]),
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = true,
            ["byte_fallback"] = tables.Bytes is not null,
            ["ignore_merges"] = false,
            ["vocab"] = vocabulary,
            ["merges"] = Merges(tables),
        };
    }

    /// <summary>SentencePiece merges any two pieces whose text is a piece, best score first: every way to cut every piece, in that order.</summary>
    private static JsonArray Merges(PieceTables tables)
    {
        var merges = new JsonArray();
        foreach (Piece piece in tables.Pieces.Where(piece => piece.Type == PieceType.Normal).OrderByDescending(piece => piece.Score))
        {
            for (int cut = Next(piece.Text, 0); cut < piece.Text.Length; cut = Next(piece.Text, cut))
            {
                if (IsText(tables, piece.Text.AsSpan(..cut)) && IsText(tables, piece.Text.AsSpan(cut..)))
                {
                    merges.Add((JsonNode)new JsonArray(Encoding.UTF8.GetString(piece.Text, 0, cut), Encoding.UTF8.GetString(piece.Text, cut, piece.Text.Length - cut)));
                }
            }
        }

        return merges;
    }

    private static bool IsText(PieceTables tables, ReadOnlySpan<byte> text)
    {
        int id = tables.ByText.Find(text);
        return id >= 0 && PieceTables.IsText(tables.Pieces[id]);
    }

    private static int Next(ReadOnlySpan<byte> text, int at)
    {
        Utf8Text.Decode(text, at, out int length);
        return at + length;
    }

    private static string TextOf(Piece piece) => Encoding.UTF8.GetString(piece.Text);
}
