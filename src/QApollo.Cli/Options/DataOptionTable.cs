using QApollo.Data;
using QApollo.Data.Tokenizers;

namespace QApollo.Cli.Options;

/// <summary>Options that say which text to use and how to read it; shared by the commands that read text.</summary>
internal static class DataOptionTable
{
    public const string Group = "Data";

    public static string TokenizerRange { get; } =
        $"{TokenizerLoader.Names}, or a path: tokenizer.json, a SentencePiece .model, a .tiktoken file, or a folder with one";

    private const string Paths = "paths: files or folders of .parquet, .txt, .md, .jsonl, .xml documentation of .NET (also .gz, .zst)";
    private const string Mixture = "; PATH=WEIGHT, several times, mixes, as does a .json file of sources";

    public static ListSpec Data { get; } = new("--data", Group, "Text to train on.", $"{Paths}, or token shards (.bin){Mixture}")
    {
        DefaultNote = "the API reference of the .NET SDK on this machine",
        IsPath = _ => true,
    };

    /// <summary>For commands that have nothing to do without text.</summary>
    public static ListSpec Text { get; } = new("--data", Group, "Text to read.", Data.RangeText);

    public static ListSpec OneText { get; } = new("--data", Group, "Text to read.", $"{Paths}, or token shards (.bin)");

    public static ListSpec TokenizerText { get; } = new("--data", Group, "Text to read.", $"{Paths}; a mixture's sources too, each once");

    public static ListSpec ValidData { get; } = new(
        "--valid-data", Group, "Text to validate on, instead of a held-out share of --data.", "paths, as --data")
    {
        IsPath = _ => true,
    };

    public static OptionSpec<string> Tokenizer { get; } = Spec.Path(
        "--tokenizer", Group, "How text becomes tokens.", TokenizerRange, "bytes", isPath: text => !TokenizerLoader.IsName(text));

    public static OptionSpec<SpecialTokenMode> SpecialTokens { get; } = Spec.Choice(
        "--special-tokens", Group, "Special tokens written out in a text: text like any other, or those tokens (for data rendered with a template).",
        SpecialTokenMode.Text, ("text", SpecialTokenMode.Text), ("parse", SpecialTokenMode.Parse));

    public static OptionSpec<WhenExhausted> WhenExhausted { get; } = Spec.Choice(
        "--when-exhausted", Group, "What happens when a source of a mixture has been read.", QApollo.Data.WhenExhausted.Repeat,
        ("repeat", QApollo.Data.WhenExhausted.Repeat), ("drop", QApollo.Data.WhenExhausted.Drop), ("stop", QApollo.Data.WhenExhausted.Stop));

    public static OptionSpec<double> ValidShare { get; } = Spec.Real("--valid-share", Group, "Share of the documents that is held out.", 0.02, 0, 0.5);

    public static OptionSpec<string> TextField { get; } = Spec.Text("--text-field", Group, "Field of .jsonl, or column of .parquet, that holds the text.", "a name", "text");

    public static FlagSpec Strict { get; } = Spec.Flag("--strict", Group, "Refuse invalid UTF-8 and rows without text, instead of replacing and skipping and counting them.");

    public static OptionSpec<string> CacheDir { get; } = Spec.Folder(
        "--cache-dir", Group, "Folder of prepared tokens.", null, "the user's cache folder");

    public static OptionSpec<string> CacheLimit { get; } = SizeOption.Create(
        "--cache-limit", Group, "When data is prepared anew, datasets that were not used for longest go until the others have at most so much; 0B for no limit.", "64GiB");

    public static OptionSpec<int> Threads { get; } = Spec.Int("--threads", Group, "CPU threads; 0 for all cores.", 0, 0, 1024);
}
