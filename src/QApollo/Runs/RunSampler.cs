using System.Buffers;
using System.Text;
using QApollo.Inference;
using QApollo.Training;

namespace QApollo.Runs;

/// <summary>
/// Short texts by a model in training, between its steps. The trainer's layout has planned for it
/// (<see cref="TrainingOptions.SampleTokens"/>); weights, optimizer state and data position are left alone.
/// </summary>
public sealed class RunSampler
{
    private readonly Trainer _trainer;
    private readonly ITokenizer _tokenizer;
    private readonly TextGenerator _generator;
    private readonly int[] _prompt;
    private readonly int _capacity;

    /// <param name="prompt">What the texts begin with; cut to half of a sample where it is longer.</param>
    /// <exception cref="ArgumentException">The layout has no samples planned.</exception>
    public RunSampler(Trainer trainer, ITokenizer tokenizer, string prompt)
    {
        CachedModel model = trainer.Layout.Sampling ?? throw new ArgumentException("the trainer's layout has no samples planned", nameof(trainer));
        (_trainer, _tokenizer, _capacity) = (trainer, tokenizer, model.Capacity);
        _generator = new TextGenerator(model, trainer.Device, tokenizer);
        int[] tokens = TextGenerator.PromptTokens(tokenizer, tokenizer.BeginOfDocument ?? tokenizer.EndOfDocument, Encoding.UTF8.GetBytes(prompt));
        _prompt = tokens[..Math.Min(tokens.Length, Math.Max(1, _capacity / 2))];
    }

    /// <summary>The prompt and what the model makes of it after its last step; the same at every repetition.</summary>
    public string Sample()
    {
        var text = new ArrayBufferWriter<byte>();
        _tokenizer.Decode(_prompt.AsSpan(1), text);
        var options = new GenerationOptions
        {
            MaxTokens = _trainer.Layout.Options.SampleTokens - _prompt.Length,
            Seed = _trainer.Layout.Options.Seed,
            Draw = (uint)_trainer.CompletedSteps,
        };

        // What a step may still be copying between host and device shares its memory with the cache.
        _trainer.Device.Synchronize();
        _generator.Generate(_prompt, options, piece => text.Write(piece));
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }
}
