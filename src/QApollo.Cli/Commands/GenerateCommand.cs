using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using QApollo.Checkpoints;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using QApollo.Devices;
using QApollo.Inference;
using D = QApollo.Cli.Options.DataOptionTable;
using M = QApollo.Cli.Options.ModelOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo generate`: a model continues a text, which appears as it is made.</summary>
internal static class GenerateCommand
{
    private const string Group = "Text";

    /// <summary>Input without end is not read into memory.</summary>
    private const int MaxPromptBytes = 16 << 20;

    private static readonly GenerationOptions Defaults = new();

    private static readonly OptionSpec<string> Prompt = Spec.Text(
        "--prompt", Group, "What the text begins with.", "a text", null, "standard input where it is a file or a pipe; else the beginning of a document");

    private static readonly OptionSpec<int> MaxTokens = Spec.Int("--max-tokens", Group, "New tokens at most.", Defaults.MaxTokens, 1, 1 << 20);

    private static readonly OptionSpec<double> Temperature = Spec.Real(
        "--temperature", Group, "Divides the logits; 0 takes the likeliest token always.", Defaults.Temperature, 0, 100);

    private static readonly OptionSpec<int> TopK = Spec.Int("--top-k", Group, "Consider so many of the likeliest tokens; 0 for all.", Defaults.TopK, 0);

    private static readonly OptionSpec<double> TopP = Spec.Real(
        "--top-p", Group, "Consider the likeliest tokens that together have this probability.", Defaults.TopP, 0, 1);

    private static readonly OptionSpec<long> Seed = Spec.Long("--seed", Group, "The same seed gives the same text.", (long)Defaults.Seed, 0);

    public static Command Create()
    {
        var command = new Command("generate", "Continue a text with a trained model.");
        var commandLine = new CommandLine(
            command, [M.Checkpoint, Prompt, MaxTokens, Temperature, TopK, TopP, Seed, M.Tokenizer, D.SpecialTokens, M.Weights, M.LayersIn, T.Device, D.Threads]);
        command.SetAction(parsed => Execute(commandLine, parsed));
        return command;
    }

    private static int Execute(CommandLine commandLine, ParseResult parsed)
    {
        OptionValues values = ModelSettings.Read(commandLine, parsed, M.Checkpoint);
        using StageView loading = StageView.OnError();
        using var folder = new ModelFolder(values.Get(M.Checkpoint), loading);
        ITokenizer tokenizer = ModelSettings.FindTokenizer(values, folder);
        byte[] text = ReadPrompt(values);

        // A document begins as in training: with its start token, else behind the end of another one.
        int? declared = folder.State is null ? folder.Config.BosTokenId : null;
        int start = tokenizer.BeginOfDocument ?? declared ?? tokenizer.EndOfDocument;
        int[] prompt = TextGenerator.PromptTokens(tokenizer, start, text);
        int? window = folder.Config.SlidingWindow;
        int most = Math.Min(folder.Config.MaxPositionEmbeddings, window ?? int.MaxValue);
        int room = most - prompt.Length;
        if (room < 1)
        {
            throw new UsageException(
                $"--prompt: has {prompt.Length - 1} tokens; the model reads {most - 2} at most ({(window == most ? "sliding_window" : "max_position_embeddings")})");
        }

        GenerationOptions options = ToOptions(values, room);
        using IDevice device = DeviceChoice.OpenFor(values);
        using var model = new InferenceModel(
            folder, ModelSettings.Place(values, ToInferenceOptions(values, folder, prompt.Length + options.MaxTokens), device), device);
        var generator = new TextGenerator(model.Layout.Generation!, device, tokenizer, folder.Config.EosTokenIds);
        return Generate(model, generator, text, prompt, options, isCut: options.MaxTokens < values.Get(MaxTokens));
    }

    /// <param name="isCut">The model's context has less room than was asked for.</param>
    private static int Generate(
        InferenceModel model, TextGenerator generator, byte[] text, int[] prompt, GenerationOptions options, bool isCut)
    {
        var output = new StreamingText(Terminal.Out, isTerminal: !Console.IsOutputRedirected);
        using var interrupt = new InterruptSignal("stopping");
        output.Append(text);
        long begin = Stopwatch.GetTimestamp();
        GeneratedText generated = generator.Generate(prompt, options, output.Append, interrupt.Token);
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        output.Complete();
        bool isStopped = !generated.IsComplete && generated.Tokens.Count < options.MaxTokens;
        string end = generated.IsComplete ? "end of the document"
            : isStopped ? "stopped"
            : isCut ? FormattableString.Invariant($"the model's context of {prompt.Length + options.MaxTokens:N0} tokens is full (max_position_embeddings)")
            : $"not at the document's end ({MaxTokens.Name})";
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{generated.Tokens.Count} tokens, {end}, {generated.Tokens.Count / seconds:F1} tokens/s, {Memory.ByteSize.Format(model.Layout.Plan.DeviceArenaBytes)}"));
        return isStopped ? InterruptSignal.ExitCode ?? ExitCode.Failure : ExitCode.Success;
    }

    private static GenerationOptions ToOptions(OptionValues values, int room) => new()
    {
        MaxTokens = Math.Min(room, values.Get(MaxTokens)),
        Temperature = values.Get(Temperature),
        TopK = values.Get(TopK),
        TopP = values.Get(TopP),
        Seed = (ulong)values.Get(Seed),
    };

    private static InferenceOptions ToInferenceOptions(OptionValues values, ModelFolder folder, int tokens) => new()
    {
        Model = folder.Config,
        Weights = ModelSettings.Formats(values, folder),
        GeneratedTokens = tokens,
    };

    private static byte[] ReadPrompt(OptionValues values)
    {
        if (values.GetText(Prompt) is { } text)
        {
            return Encoding.UTF8.GetBytes(text);
        }

        if (!Console.IsInputRedirected)
        {
            return [];
        }

        using Stream input = Console.OpenStandardInput();
        byte[] content = new byte[MaxPromptBytes + 1];
        int length = input.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
        return length <= MaxPromptBytes
            ? content[..length]
            : throw new UsageException($"--prompt: standard input has more than {MaxPromptBytes >> 20} MiB: no model reads so much");
    }
}
