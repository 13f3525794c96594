namespace QApollo.Checkpoints.Interchange.Gguf;

/// <summary>What llama.cpp does with a token; numbered as in tokenizer.ggml.token_type.</summary>
public enum GgufTokenType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>A tokenizer as llama.cpp runs it.</summary>
public sealed record GgufVocabulary
{
    /// <summary>gpt2 (byte-level BPE), llama (SentencePiece BPE) or t5 (SentencePiece unigram).</summary>
    public required string Model { get; init; }

    /// <summary>llama.cpp's name of the pattern that cuts text into words.</summary>
    public required string PreTokenizer { get; init; }

    /// <summary>UTF-8 texts by id, all different. Byte-level tokens in GPT-2's alphabet, SentencePiece's with U+2581.</summary>
    public required IReadOnlyList<byte[]> Tokens { get; init; }

    /// <summary>As many as tokens.</summary>
    public required IReadOnlyList<GgufTokenType> Types { get; init; }

    /// <summary>As many as tokens; null for byte-level BPE.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary>"left right", first merged first; null for SentencePiece.</summary>
    public IReadOnlyList<byte[]>? Merges { get; init; }

    /// <summary>Begins a document.</summary>
    public int? BeginToken { get; init; }

    /// <summary>Ends a document.</summary>
    public required int EndToken { get; init; }

    public int? UnknownToken { get; init; }

    /// <summary>The model was trained on documents that begin with <see cref="BeginToken"/>.</summary>
    public required bool AddsBeginToken { get; init; }

    /// <summary>A space goes before the text; null where the model knows no such rule.</summary>
    public bool? AddsSpacePrefix { get; init; }

    /// <summary>Neighbouring spaces become one; null where the model knows no such rule.</summary>
    public bool? RemovesExtraSpaces { get; init; }

    /// <summary>SentencePiece's compiled character map; null for none.</summary>
    public byte[]? CharacterMap { get; init; }

    /// <summary>Jinja text; null for none.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Where llama.cpp reads some texts differently, for people.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Unused tokens up to the rows of a padded embedding.</summary>
    /// <exception cref="UsageException">The tokenizer has more tokens than the model.</exception>
    internal GgufVocabulary PadTo(int size)
    {
        if (Tokens.Count > size)
        {
            throw new UsageException($"the tokenizer has {Tokens.Count} ids, the model only {size}: they do not belong together");
        }

        IEnumerable<byte[]> padding = Enumerable.Range(Tokens.Count, size - Tokens.Count).Select(id => System.Text.Encoding.UTF8.GetBytes($"[PAD{id}]"));
        return this with
        {
            Tokens = [.. Tokens, .. padding],
            Types = [.. Types, .. Enumerable.Repeat(GgufTokenType.Unused, size - Tokens.Count)],
            Scores = Scores is null ? null : [.. Scores, .. new float[size - Tokens.Count]],
        };
    }

    internal void WriteTo(GgufMetadata metadata)
    {
        metadata.Add("tokenizer.ggml.model", Model);
        metadata.Add("tokenizer.ggml.pre", PreTokenizer);
        metadata.Add("tokenizer.ggml.tokens", Tokens);
        metadata.Add("tokenizer.ggml.token_type", [.. Types.Select(type => (int)type)]);
        if (Scores is not null)
        {
            metadata.Add("tokenizer.ggml.scores", Scores);
        }

        if (Merges is not null)
        {
            metadata.Add("tokenizer.ggml.merges", Merges);
        }

        // llama.cpp takes ids of its own where these are missing.
        metadata.Add("tokenizer.ggml.bos_token_id", BeginToken ?? EndToken);
        metadata.Add("tokenizer.ggml.eos_token_id", EndToken);
        if (UnknownToken is int unknown)
        {
            metadata.Add("tokenizer.ggml.unknown_token_id", unknown);
        }

        metadata.Add("tokenizer.ggml.add_bos_token", AddsBeginToken);
        metadata.Add("tokenizer.ggml.add_eos_token", false);
        if (AddsSpacePrefix is bool prefix)
        {
            metadata.Add("tokenizer.ggml.add_space_prefix", prefix);
        }

        if (RemovesExtraSpaces is bool removes)
        {
            metadata.Add("tokenizer.ggml.remove_extra_whitespaces", removes);
        }

        if (CharacterMap is not null)
        {
            metadata.Add("tokenizer.ggml.precompiled_charsmap", CharacterMap);
        }

        if (ChatTemplate is not null)
        {
            metadata.Add("tokenizer.chat_template", ChatTemplate);
        }
    }
}
