using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Data;
using QApollo.Devices;
using QApollo.Inference;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo eval`: how well a model predicts a text.</summary>
internal static class EvalCommand
{
    private const string Group = "Scoring";

    private static readonly OptionSpec<int> SeqLen = new(
        "--seq-len", Group, "Tokens per sequence: how far a prediction looks back at most.", "a whole number, 2 or more", 0,
        text => (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value is >= 2 and <= 1 << 20, value))
    {
        DefaultNote = "that of the run; 256 for other models, or what they read at most",
    };

    private static readonly OptionSpec<int> BatchSize = Spec.Int("--batch-size", Group, "Sequences at a time.", 8, 1, 1 << 20);

    private static readonly OptionSpec<long> MaxTokens = Spec.Long(
        "--max-tokens", Group, "Tokens to score at most, at equal distances over the data; 0 for all.", 0, 0);

    public static Command Create()
    {
        var command = new Command("eval", "Score a trained model on text: loss, perplexity, bits per byte.");
        var commandLine = new CommandLine(
            command,
            [
                M.Checkpoint, D.OneText, SeqLen, BatchSize, MaxTokens, T.Packing, M.Tokenizer, D.SpecialTokens, D.TextField, D.Strict, D.CacheDir, D.CacheLimit, M.Weights, M.LayersIn, T.Device,
                D.Threads, M.Json,
            ]);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ModelSettings.Read(commandLine, parsed, M.Checkpoint, D.OneText);
        using StageView loading = StageView.OnError();
        using var folder = new ModelFolder(values.Get(M.Checkpoint), loading);
        ITokenizer tokenizer = ModelSettings.FindTokenizer(values, folder);
        using var interrupt = new InterruptSignal("stopping");
        using PreparedData data = DataSettings.PrepareForScoring(values, values.Get(D.OneText), tokenizer, interrupt.Token);

        int length = values.IsGiven(SeqLen) ? values.Get(SeqLen) : ModelSettings.ScoredLength(folder);
        if (length > folder.Config.MaxPositionEmbeddings)
        {
            Note(FormattableString.Invariant(
                $"sequences of {length:N0} tokens are longer than the model's {folder.Config.MaxPositionEmbeddings:N0} positions (max_position_embeddings): it was not trained for them"));
        }

        long maxTokens = values.Get(MaxTokens) == 0 ? long.MaxValue : values.Get(MaxTokens);
        SequenceMode packing = values.IsGiven(T.Packing) ? values.Get(T.Packing) : ModelSettings.RunOptions(folder)?.Get(T.Packing) ?? SequenceMode.Packed;
        var batchOptions = new BatchOptions(
            values.Get(BatchSize), length, folder.Config.VocabSize, tokenizer.EndOfDocument, Mode: packing);
        var batches = new ValidationBatches(data.Train, batchOptions, maxTokens);
        Note(ModelSettings.WholeSequences(MaxTokens, values, batches));
        using IDevice device = DeviceChoice.OpenFor(values);
        using var model = new InferenceModel(folder, ModelSettings.Place(values, ToInferenceOptions(values, folder, batchOptions), device), device);
        DataScore score;
        using (var progress = new CountView(Terminal.Error, "scoring", batches.Count, !Console.IsErrorRedirected))
        {
            score = DataScore.Measure(model, batches, tokenizer, progress, interrupt.Token);
        }

        if (!double.IsFinite(score.Loss))
        {
            throw new RunFailedException($"{folder.Path}: the loss is {score.Loss}: the weights are damaged, or their training has diverged");
        }

        Write(folder.Path, score, values.Get(M.Json));
        return ExitCode.Success;
    }

    /// <summary>On standard error: standard output may be JSON.</summary>
    private static void Note(string? note)
    {
        if (note is not null)
        {
            Console.Error.WriteLine($"note: {note}");
        }
    }

    private static InferenceOptions ToInferenceOptions(OptionValues values, ModelFolder folder, BatchOptions batches) => new()
    {
        Model = folder.Config,
        Weights = ModelSettings.Formats(values, folder),
        BatchSize = batches.BatchSize,
        SequenceLength = batches.SequenceLength,
        DocumentEnd = batches.Mode == SequenceMode.Masked ? batches.EndOfDocument : null,
    };

    private static void Write(string checkpoint, in DataScore score, bool json)
    {
        if (!json)
        {
            string perByte = score.Bytes == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $"bits per byte {score.BitsPerByte:F4}  ");
            Console.WriteLine($"checkpoint: {checkpoint}");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"loss {score.Loss:F4}  perplexity {score.Perplexity:F3}  {perByte}({score.Tokens:N0} tokens, {score.Bytes:N0} bytes)"));
            return;
        }

        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, JsonOutput.Options))
        {
            writer.WriteStartObject();
            writer.WriteString("checkpoint", checkpoint);
            JsonOutput.WriteReal(writer, "loss", score.Loss);
            JsonOutput.WriteReal(writer, "perplexity", score.Perplexity);
            JsonOutput.WriteReal(writer, "bitsPerByte", score.BitsPerByte);
            writer.WriteNumber("tokens", score.Tokens);
            writer.WriteNumber("bytes", score.Bytes);
            writer.WriteEndObject();
        }

        JsonOutput.Print(stream);
    }
}
