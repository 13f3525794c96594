using System.Text;
using QApollo.Cpu;
using QApollo.Devices;
using QApollo.Inference;
using QApollo.Models;
using QApollo.Runs;
using QApollo.Tests.Training;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Inference;

public class TextGeneratorTests
{
    private const int Length = 24;

    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaxTokens = 12 };

    [Fact]
    public void Greedy_generation_equals_recomputing_everything_for_every_token()
    {
        using CpuDevice cpu = Engine.Cpu();
        var recorder = new LogitRecorder(cpu);
        using var device = new TracingDevice(cpu.Profile, recorder, cpu);
        using Trainer trainer = NewTrainer(device);
        TextGenerator generator = Generator(trainer);
        int[] prompt = [66, 1, 5, 3];

        IReadOnlyList<int> generated = generator.Generate(prompt, Greedy).Tokens;

        Assert.NotEmpty(generated);
        List<int> text = [.. prompt];
        foreach (int token in generated)
        {
            int[] window = [.. text, .. new int[Length - text.Count]];
            recorder.Values.Clear();
            trainer.Evaluate(window, window);
            float[] logits = [.. recorder.Values.Skip((text.Count - 1) * 67).Take(67)];
            Assert.Equal(Array.IndexOf(logits, logits.Max()), token);
            text.Add(token);
        }
    }

    [Fact]
    public void Rows_that_only_pad_the_vocabulary_are_never_sampled()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        var tokenizer = new NumberTokenizer(5);
        var generator = new TextGenerator(trainer.Layout.Sampling!, device, tokenizer);
        for (ulong seed = 0; seed < 20; seed++)
        {
            var options = new GenerationOptions { MaxTokens = 15, Temperature = 100, TopP = 1, TopK = 0, Seed = seed };
            Assert.All(generator.Generate([1, 2], options).Tokens, token => Assert.InRange(token, 0, tokenizer.EndOfDocument - 1));
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_text_and_another_one_another()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        TextGenerator generator = Generator(trainer);
        var options = new GenerationOptions { MaxTokens = 15, Temperature = 1, TopP = 1, Seed = 7 };

        IReadOnlyList<int> text = generator.Generate([1, 2], options).Tokens;

        Assert.Equal(text, generator.Generate([1, 2], options).Tokens);
        Assert.NotEqual(text, generator.Generate([1, 2], options with { Seed = 8 }).Tokens);
        Assert.NotEqual(text, generator.Generate([1, 2], options with { Draw = 1 }).Tokens);
    }

    [Fact]
    public void It_ends_at_the_limit_at_the_capacity_and_when_stopped()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        TextGenerator generator = Generator(trainer);
        SilenceEnds(trainer);

        Assert.Equal(5, generator.Generate([1, 2], Greedy with { MaxTokens = 5 }).Tokens.Count);

        // The last token is predicted from a full cache, and needs no place in it.
        Assert.Equal(Length - 2 + 1, generator.Generate([1, 2], Greedy with { MaxTokens = 1000 }).Tokens.Count);
        using var stop = new CancellationTokenSource();
        GeneratedText stopped = generator.Generate([1, 2], Greedy, _ => stop.Cancel(), stop.Token);
        Assert.Single(stopped.Tokens);
        Assert.False(stopped.IsComplete);
    }

    [Fact]
    public void A_document_ends_where_the_model_says_so()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        SilenceEnds(trainer);
        int first = Generator(trainer).Generate([1, 2], Greedy).Tokens[0];

        GeneratedText text = new TextGenerator(trainer.Layout.Sampling!, device, new NumberTokenizer(67), endTokens: [first]).Generate([1, 2], Greedy);

        Assert.True(text.IsComplete);
        Assert.Empty(text.Tokens);
    }

    [Fact]
    public void The_pieces_join_to_the_text_with_its_inner_spaces()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        SilenceEnds(trainer);
        var text = new StringBuilder();

        GeneratedText generated = Generator(trainer).Generate([66, 1, 2], Greedy, piece => text.Append(Encoding.UTF8.GetString(piece)));

        Assert.Equal(string.Concat(generated.Tokens.Select(token => $" {token}")), text.ToString());
    }

    [Fact]
    public void At_a_documents_beginning_the_first_piece_has_no_space()
    {
        var decoder = new IncrementalDecoder(new NumberTokenizer(67), previous: 66);
        Assert.Equal("5", Encoding.UTF8.GetString(decoder.Append(5)));
        Assert.Equal(" 6", Encoding.UTF8.GetString(decoder.Append(6)));
    }

    [Fact]
    public void A_prompt_begins_behind_the_start_token() =>
        Assert.Equal([66, 4, 2], TextGenerator.PromptTokens(new NumberTokenizer(67), 66, "4 2"u8));

    [Fact]
    public void A_sample_of_a_run_has_its_prompt_and_is_repeatable()
    {
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = NewTrainer(device);
        SilenceEnds(trainer);
        var sampler = new RunSampler(trainer, new NumberTokenizer(67), "3 4 5");

        string text = sampler.Sample();

        Assert.StartsWith("3 4 5 ", text, StringComparison.Ordinal);
        Assert.InRange(text.Split(' ').Length, 4, Length - 1);
        Assert.Equal(text, sampler.Sample());
        trainer.CompletedSteps = 9;
        Assert.NotEqual(text, sampler.Sample());
    }

    private static Trainer NewTrainer(IDevice device) =>
        Engine.Trainer(Engine.Options(Engine.TinyModel(), new StepShape(1, Length, 1)) with { SampleTokens = Length }, device);

    private static TextGenerator Generator(Trainer trainer) => new(trainer.Layout.Sampling!, trainer.Device, new NumberTokenizer(67));

    /// <summary>Gives the end of a document the logit 0, which is never the largest.</summary>
    private static void SilenceEnds(Trainer trainer)
    {
        Weight norm = trainer.Layout.Weights.FinalNorm;
        Weight head = trainer.Layout.Weights.Head;
        float[] values = trainer.Read(head);
        Array.Clear(values, 66 * norm.Parameter.Columns, norm.Parameter.Columns);
        trainer.Load(head, values);
    }
}
