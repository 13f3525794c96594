using QApollo.Data.Tokenizers.Patterns;

namespace QApollo.Data.Tokenizers.Tiktoken;

/// <summary>What a table of ranks does not say: how text is cut, and which special tokens follow.</summary>
/// <param name="Name">As tiktoken calls it.</param>
/// <param name="Ranks">Tokens of its table: what a file is recognized by.</param>
/// <param name="Pattern">How text is cut into words.</param>
/// <param name="EndOfDocument">The id of the special token that ends a document.</param>
/// <param name="Special">Ids and texts; ids between that have no token are never made.</param>
/// <param name="BeginOfDocument">The id of the special token that begins a document; null for none.</param>
/// <param name="Package">The assembly that carries the table; null where only files do.</param>
internal sealed record TiktokenEncoding(
    string Name, int Ranks, string Pattern, int EndOfDocument, IReadOnlyList<(int Id, string Text)> Special, string? Package = null, int? BeginOfDocument = null)
{
    private const string EndOfText = "<|endoftext|>";

    /// <summary>tiktoken_ext/openai_public.py; for Llama 3, tokenizer.py of its reference implementation.</summary>
    public static IReadOnlyList<TiktokenEncoding> All { get; } =
    [
        new("r50k_base", 50_256, UsualPatterns.Gpt2, 50_256, [(50_256, EndOfText)], "Microsoft.ML.Tokenizers.Data.R50kBase"),
        new(
            "cl100k_base", 100_256, UsualPatterns.Llama3, 100_257,
            [
                (100_257, EndOfText), (100_258, "<|fim_prefix|>"), (100_259, "<|fim_middle|>"), (100_260, "<|fim_suffix|>"),
                (100_276, "<|endofprompt|>"),
            ],
            "Microsoft.ML.Tokenizers.Data.Cl100kBase"),
        new(
            "o200k_base", 199_998, UsualPatterns.O200k, 199_999, [(199_999, EndOfText), (200_018, "<|endofprompt|>")],
            "Microsoft.ML.Tokenizers.Data.O200kBase"),
        new(
            "llama3", 128_000, UsualPatterns.Llama3, 128_001,
            [
                (128_000, "<|begin_of_text|>"), (128_001, "<|end_of_text|>"), (128_006, "<|start_header_id|>"),
                (128_007, "<|end_header_id|>"), (128_009, "<|eot_id|>"), (128_255, "<|reserved_special_token_247|>"),
            ],
            BeginOfDocument: 128_000),
    ];

    /// <summary>Names that stand for a vocabulary which comes with the program. GPT-2's ranks are those of r50k_base.</summary>
    public static IReadOnlyList<string> Names { get; } = ["gpt2", "r50k_base", "cl100k_base", "o200k_base"];

    /// <summary>The encoding of a name in <see cref="Names"/>; null for any other.</summary>
    public static TiktokenEncoding? TryFind(string name) =>
        All.FirstOrDefault(encoding => encoding.Package is not null && encoding.Name == (name == "gpt2" ? "r50k_base" : name));
}
