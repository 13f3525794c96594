using System.CommandLine;
using System.Globalization;
using QApollo.Checkpoints;
using QApollo.Checkpoints.Interchange;
using QApollo.Checkpoints.Interchange.Gguf;
using QApollo.Checkpoints.Interchange.HuggingFace;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data.Tokenizers.Interchange;
using QApollo.Memory;
using QApollo.Models;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo export`: a model for other programs.</summary>
internal static class ExportCommand
{
    private const string Group = "Export";

    private enum ExportFormat
    {
        HuggingFace,
        Gguf,
    }

    private static readonly OptionSpec<ExportFormat> Format = Spec.Choice(
        "--format", Group, "hf is a folder for transformers, vLLM and others; gguf a file for llama.cpp, Ollama, LM Studio.", ExportFormat.HuggingFace,
        ("hf", ExportFormat.HuggingFace), ("gguf", ExportFormat.Gguf));

    private static readonly OptionSpec<ExportDType> DType = Spec.Choice(
        "--dtype", Group, "Element type of the weights; q8_0 is for gguf, int8 (the codes as they are trained) for hf.", ExportDType.BF16,
        ("bf16", ExportDType.BF16), ("f16", ExportDType.F16), ("f32", ExportDType.F32), ("q8_0", ExportDType.Q8), ("int8", ExportDType.Int8));

    private static readonly OptionSpec<string> Output = Spec.Text("--output", Group, "The folder or file to write.", "a path", null);

    private static readonly OptionSpec<string> MaxShardSize = Spec.Text(
        "--max-shard-size", Group, "Weights of more bytes are spread over several files of an hf folder.", "a size such as 5GB", "5GB");

    private static readonly FlagSpec Force = Spec.Flag("--force", Group, "Replace an export that is there.");

    private static readonly ListSpec Data = new(
        "--data", D.Group, "Text to score before and after, to see what the element type costs.", D.Text.RangeText);

    private static readonly OptionSpec<long> MaxTokens = Spec.Long("--max-tokens", D.Group, "Tokens of --data to score at most; 0 for all.", 100_000, 0);

    public static Command Create()
    {
        var command = new Command("export", "Write a model for transformers, vLLM, llama.cpp and others.");
        var commandLine = new CommandLine(
            command,
            [
                M.Checkpoint, Format, DType, Output, MaxShardSize, Force, M.Tokenizer,
                Data, MaxTokens, D.TextField, D.Strict, D.CacheDir, T.Device, D.Threads,
            ]);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ModelSettings.Read(commandLine, parsed, M.Checkpoint, Output);
        ExportFormat format = values.Get(Format);
        ExportDType dtype = values.Get(DType);
        RequireType(format, dtype);
        long shardBytes = ByteSize.TryParse(values.Get(MaxShardSize), out long bytes) && bytes > 0
            ? bytes
            : throw new UsageException($"--max-shard-size: '{values.Get(MaxShardSize)}' is no size; it takes one such as 5GB or 500MiB");
        using StageView loading = StageView.OnError();
        using var folder = new ModelFolder(values.Get(M.Checkpoint), loading);
        ITokenizer tokenizer = ModelSettings.FindTokenizer(values, folder);
        TokenizerExport source = TokenizerExport.Load(ModelSettings.TokenizerName(values, folder));

        DocumentTokens tokens = ModelSettings.DocumentTokens(tokenizer, folder.Config, isTrainedHere: folder.State is not null);
        using var interrupt = new InterruptSignal("stopping");
        using ExportScore? score = values.Get(Data).Length > 0
            ? new ExportScore(values, values.Get(Data), MaxTokens, folder, tokenizer, interrupt.Token)
            : null;
        double? before = score?.Perplexity(folder, folder.Formats);
        ExportReport report;
        using (var progress = new ExportProgressView())
        {
            report = format == ExportFormat.Gguf
                ? GgufExport.Write(folder, ToGguf(values, folder, source, tokens), progress, interrupt.Token)
                : HuggingFaceExport.Write(folder, ToHuggingFace(values, folder, source, tokens, shardBytes), progress, interrupt.Token);
        }

        Write(values.Get(Output), folder, tokenizer, report);
        if (score is not null)
        {
            var rounded = new RoundedWeights(folder, dtype, format == ExportFormat.Gguf);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"perplexity {before:F4} as trained, {score.Perplexity(rounded, rounded.Formats):F4} as exported ({score.Tokens:N0} tokens)"));
            Console.Write(score.Note is null ? string.Empty : $"note: {score.Note}{Environment.NewLine}");
        }

        return ExitCode.Success;
    }

    private static GgufExportOptions ToGguf(OptionValues values, ModelFolder folder, TokenizerExport source, DocumentTokens tokens) => new()
    {
        Output = values.Get(Output),
        DType = values.Get(DType),
        Name = NameOf(folder),
        Vocabulary = WithDeclared(source.Gguf(tokens), folder.Config),
        Replace = values.Get(Force),
    };

    /// <summary>A start token that the model declares is named even where nothing puts it before a text.</summary>
    private static GgufVocabulary WithDeclared(GgufVocabulary vocabulary, LlamaConfig config) =>
        vocabulary with { BeginToken = vocabulary.BeginToken ?? config.BosTokenId };

    private static HuggingFaceExportOptions ToHuggingFace(
        OptionValues values, ModelFolder folder, TokenizerExport source, DocumentTokens tokens, long shardBytes) => new()
        {
            Output = values.Get(Output),
            DType = values.Get(DType),
            Name = NameOf(folder),
            TokenizerFiles = source.HuggingFaceFiles(tokens),
            BeginToken = source.BeginToken(tokens),
            EndToken = tokens.End,
            MaxShardBytes = shardBytes,
            Replace = values.Get(Force),
        };

    private static void RequireType(ExportFormat format, ExportDType dtype)
    {
        if (format == ExportFormat.Gguf && dtype == ExportDType.Int8)
        {
            throw new UsageException("--dtype: int8 is for --format hf; GGUF files take bf16, f16, f32 or q8_0");
        }

        if (format == ExportFormat.HuggingFace && dtype == ExportDType.Q8)
        {
            throw new UsageException("--dtype: q8_0 is for --format gguf; Hugging Face folders take bf16, f16, f32 or int8");
        }
    }

    private static void Write(string output, ModelFolder folder, ITokenizer tokenizer, ExportReport report)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"wrote {output}: {ByteSize.Format(report.Bytes)} in {report.Files.Count} file{(report.Files.Count == 1 ? string.Empty : "s")}"));
        if (folder.Config.VocabSize > tokenizer.VocabularySize)
        {
            Console.WriteLine($"note: the model has {folder.Config.VocabSize} rows for the tokenizer's {tokenizer.VocabularySize} ids, as usual for padded vocabularies");
        }

        if (report.Int8Q8Blocks > 0)
        {
            string others = report.LosslessQ8Blocks == report.Int8Q8Blocks ? string.Empty : "; the others are rounded anew";
            string dense = report.Q8Blocks == report.Int8Q8Blocks ? string.Empty : "; what is stored in other types is rounded to Q8_0";
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{(double)report.LosslessQ8Blocks / report.Int8Q8Blocks:P1} of the Q8_0 blocks of INT8 weights hold their codes without loss{others}{dense}"));
        }

        foreach (string note in report.Notes)
        {
            Console.WriteLine($"note: {note}");
        }
    }

    /// <summary>The run's name, or the folder's.</summary>
    private static string NameOf(ModelFolder folder)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path));
        return Path.GetFileName(folder.State is null ? path : Path.GetDirectoryName(path)) is { Length: > 0 } name ? name : "model";
    }

    private sealed class ExportProgressView : IProgress<ExportProgress>, IDisposable
    {
        private const long Steps = 10_000;

        private readonly CountView _view = new(Terminal.Error, "writing", Steps, !Console.IsErrorRedirected);

        public void Report(ExportProgress value) => _view.Report((long)((double)value.Written / Math.Max(1, value.Total) * Steps));

        public void Dispose() => _view.Dispose();
    }
}
