using System.Globalization;
using System.Text;
using System.Text.Json;
using QApollo.Data.Tokenizers.Models;
using QApollo.Data.Tokenizers.Pipeline;
using QApollo.Data.Tokenizers.Text;

namespace QApollo.Data.Tokenizers.HuggingFace;

/// <summary>Reads the "model" of a tokenizer.json: BPE or Unigram.</summary>
/// <param name="Name">For people.</param>
/// <param name="Vocabulary">The tokens as the file writes them.</param>
/// <param name="Build">Makes the model, given the ids that no text may become.</param>
internal sealed record ModelReader(string Name, TokenTable Vocabulary, Func<IReadOnlySet<int>, PieceStage> Build)
{
    /// <param name="byteLevel">The model sees bytes, and the vocabulary shows them as characters.</param>
    public static ModelReader Read(JsonElement model, bool byteLevel)
    {
        // Files of early versions name no type.
        string type = model.TextField("type", model.Field("merges") is null ? "Unigram" : "BPE");
        return type switch
        {
            "BPE" => ReadBpe(model, byteLevel),
            "Unigram" => ReadUnigram(model, byteLevel),
            _ => throw new UsageException($"a model of type {JsonFields.Show(type)} is not supported; known are BPE, Unigram"),
        };
    }

    private static ModelReader ReadBpe(JsonElement model, bool byteLevel)
    {
        Refuse(model, "continuing_subword_prefix");
        Refuse(model, "end_of_word_suffix");
        if (model.Field("dropout") is { ValueKind: JsonValueKind.Number } dropout && dropout.GetDouble() != 0)
        {
            throw new UsageException("\"dropout\" makes encoding random; set it to null");
        }

        TokenTable vocabulary = ReadVocabulary(model.Required("vocab"));
        int unknown = -1;
        if (model.Field("unk_token") is JsonElement name)
        {
            unknown = vocabulary.Find(Encoding.UTF8.GetBytes(name.Text("unk_token")));
            if (unknown < 0)
            {
                throw new UsageException($"\"unk_token\" {JsonFields.Show(name)} is not in the vocabulary");
            }
        }

        return new ModelReader("BPE", vocabulary, hidden => BuildBpe(model, byteLevel, vocabulary, unknown, hidden));
    }

    private static BpeModel BuildBpe(JsonElement model, bool byteLevel, TokenTable vocabulary, int unknown, IReadOnlySet<int> hidden)
    {
        PairTable pairs = ReadMerges(model.Required("merges"), vocabulary, hidden, out bool staysInWord);
        bool ignoreMerges = model.Flag("ignore_merges");
        var rules = new BpeRules
        {
            ByteLevel = byteLevel,
            IgnoreMerges = ignoreMerges,
            Hidden = hidden,
            ByteFallback = !byteLevel && model.Flag("byte_fallback"),
            Unknown = unknown,
            FuseUnknown = model.Flag("fuse_unk"),
            CutAtWordMarks = !byteLevel && staysInWord && !ignoreMerges && vocabulary.Find(BpeModel.WordMark) >= 0,
        };
        TokenTable words = byteLevel ? UnmapVocabulary(vocabulary) : vocabulary;
        int[] bytes = [.. Enumerable.Range(0, 256).Select(i => vocabulary.Find(Encoding.UTF8.GetBytes(BpeModel.ByteToken(i))))];
        return new BpeModel(rules, pairs, words, words, bytes, vocabulary.IdsEnd, []);
    }

    private static TokenTable ReadVocabulary(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UsageException($"\"vocab\" must be an object of tokens and ids, not {JsonFields.Show(json)}");
        }

        var table = new TokenTable(Math.Min(json.GetPropertyCount(), 1 << 20));
        foreach (JsonProperty entry in json.EnumerateObject())
        {
            string token;
            try
            {
                token = entry.Name;
            }
            catch (InvalidOperationException)
            {
                throw new UsageException("a token of \"vocab\" holds half of a surrogate pair");
            }

            table.Set(Encoding.UTF8.GetBytes(token), entry.Value.Number(JsonFields.Show(token), TokenTable.MaxId));
        }

        return table;
    }

    private static PairTable ReadMerges(JsonElement json, TokenTable vocabulary, IReadOnlySet<int> hidden, out bool staysInWord)
    {
        staysInWord = true;
        var pairs = new PairTable(json.ValueKind == JsonValueKind.Array ? json.GetArrayLength() : 0);
        var joined = new ByteBuffer();
        int rank = 0;
        foreach (JsonElement merge in json.Items("merges"))
        {
            if (rank == 0 && merge.ValueKind == JsonValueKind.String && merge.Text("merges").StartsWith("#version", StringComparison.Ordinal))
            {
                continue;
            }

            (string leftText, string rightText) = ReadPair(merge, rank);
            byte[] left = Encoding.UTF8.GetBytes(leftText);
            byte[] right = Encoding.UTF8.GetBytes(rightText);
            joined.Clear();
            joined.Add(left);
            joined.Add(right);
            int merged = Find(vocabulary, joined.Written, rank);
            if (!hidden.Contains(merged))
            {
                pairs.Add(Find(vocabulary, left, rank), Find(vocabulary, right, rank), rank, merged);
            }

            staysInWord &= BpeModel.StaysInWord(joined.Written);
            rank++;
        }

        return pairs;
    }

    private static (string Left, string Right) ReadPair(JsonElement merge, int rank)
    {
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
        {
            return (merge[0].Text("merges"), merge[1].Text("merges"));
        }

        string[] words = merge.ValueKind == JsonValueKind.String ? merge.Text("merges").Split(' ') : [];
        return words.Length == 2
            ? (words[0], words[1])
            : throw new UsageException(Numbered(rank, $"must be two tokens, not {JsonFields.Show(merge)}"));
    }

    private static int Find(TokenTable vocabulary, ReadOnlySpan<byte> token, int rank)
    {
        int id = vocabulary.Find(token);
        return id >= 0 ? id : throw new UsageException(Numbered(rank, $"{JsonFields.Show(Encoding.UTF8.GetString(token))} is not in \"vocab\""));
    }

    private static string Numbered(int rank, string what) => string.Create(CultureInfo.InvariantCulture, $"\"merges\", entry {rank}: {what}");

    /// <summary>The vocabulary by the bytes that its characters stand for; what stands for none is no word of a text.</summary>
    private static TokenTable UnmapVocabulary(TokenTable vocabulary)
    {
        var words = new TokenTable(vocabulary.IdsEnd);
        var bytes = new ByteBuffer();
        for (int id = 0; id < vocabulary.IdsEnd; id++)
        {
            bytes.Clear();
            if (vocabulary.TryText(id, out ReadOnlySpan<byte> token) && ByteLevelAlphabet.TryUnmap(token, bytes))
            {
                words.Set(bytes.Written, id);
            }
        }

        return words;
    }

    private static ModelReader ReadUnigram(JsonElement model, bool byteLevel)
    {
        if (byteLevel)
        {
            throw new UsageException("a Unigram model after ByteLevel is not supported");
        }

        JsonElement vocab = model.Required("vocab");
        var vocabulary = new TokenTable(vocab.ValueKind == JsonValueKind.Array ? vocab.GetArrayLength() : 0);
        var scores = new List<double>();
        foreach (JsonElement entry in vocab.Items("vocab"))
        {
            bool pair = entry.ValueKind == JsonValueKind.Array && entry.GetArrayLength() == 2;
            if (!pair || entry[1].ValueKind != JsonValueKind.Number || !double.IsFinite(entry[1].GetDouble()) || scores.Count > TokenTable.MaxId)
            {
                throw new UsageException(string.Create(
                    CultureInfo.InvariantCulture, $"\"vocab\", entry {scores.Count}: must be a token and a finite score, not {JsonFields.Show(entry)}"));
            }

            byte[] token = Encoding.UTF8.GetBytes(entry[0].Text("vocab"));
            UnigramLimits.CheckPiece(token, scores.Count);
            vocabulary.Set(token, scores.Count);
            scores.Add(entry[1].GetDouble());
        }

        if (scores.Count == 0)
        {
            throw new UsageException("\"vocab\" is empty");
        }

        int[] bytes = [.. Enumerable.Range(0, 256).Select(i => vocabulary.Find(Encoding.UTF8.GetBytes(BpeModel.ByteToken(i))))];
        bool fallback = model.Flag("byte_fallback") && bytes.All(id => id >= 0);
        var rules = new UnigramRules
        {
            Unknown = model.Required("unk_id").Number("unk_id", scores.Count - 1),
            UnknownScore = scores.Min() - UnigramRules.UnknownPenalty,
            Bytes = fallback ? bytes : null,
        };
        return new ModelReader("unigram", vocabulary, hidden => new UnigramModel(rules, Pieces(vocabulary, hidden), [.. scores]));
    }

    private static ByteTrie Pieces(TokenTable vocabulary, IReadOnlySet<int> hidden)
    {
        var pieces = new ByteTrie();
        for (int id = 0; id < vocabulary.IdsEnd; id++)
        {
            if (!hidden.Contains(id) && vocabulary.TryText(id, out ReadOnlySpan<byte> token) && token.Length > 0)
            {
                pieces.Add(token, id);
            }
        }

        return pieces;
    }

    private static void Refuse(JsonElement model, string name)
    {
        if (!string.IsNullOrEmpty(model.TextField(name, string.Empty)))
        {
            throw new UsageException($"\"{name}\" is not supported");
        }
    }
}
