using QApollo.Cpu;
using QApollo.Memory;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Training;

/// <summary>With <see cref="TrainingOptions.DocumentEnd"/>, sequences of several documents give what each document gives alone.</summary>
public class DocumentMaskTests
{
    private const int End = 66;
    private const int Length = 29;

    [Theory]
    [InlineData(1, false)]
    [InlineData(3, true)]
    public void Gradients_are_the_sum_over_the_documents(int gradAccum, bool tied)
    {
        TrainingOptions options = Masked(new StepShape(2, Length, gradAccum), tied);
        (int[] tokens, int[] labels) = Documents(options, seed: 5);
        TrainingStepTests.Run run = TrainingStepTests.Train(options, tokens, labels);

        int counted = labels.Count(label => label >= 0);
        var expected = new Dictionary<string, double[]>();
        double loss = 0;
        var reference = new ReferenceLlama(options.Model, run.Initial.ToDictionary(pair => pair.Key, pair => Precision.ToDouble(pair.Value)));
        foreach (Range document in Cut(tokens))
        {
            long[] ids = Array.ConvertAll(tokens[document], token => (long)token);
            ReferencePass pass = reference.Run(ids, Array.ConvertAll(labels[document], label => (long)label), ids.Length, counted);
            loss += pass.Loss;
            foreach ((string name, double[] gradient) in pass.Gradients)
            {
                expected[name] = expected.TryGetValue(name, out double[]? sum) ? [.. sum.Zip(gradient, (a, b) => a + b)] : gradient;
            }
        }

        Compare.AllClose([run.Result.Loss], [loss], 1e-5, 0, "loss");
        foreach ((string name, double[] gradient) in expected)
        {
            Compare.AllClose(run.Gradients[name], gradient, 2e-5 * gradient.Max(Math.Abs), 0, name);
        }
    }

    [Fact]
    public void Each_token_has_the_loss_that_it_has_in_its_document_alone()
    {
        TrainingOptions options = Masked(new StepShape(1, Length, 1));
        (int[] tokens, int[] labels) = Documents(options, seed: 6);
        using CpuDevice device = Engine.Cpu();
        using Trainer packed = Engine.Trainer(options, device);
        foreach (Range document in Cut(tokens))
        {
            int[] ids = tokens[document];
            using CpuDevice aloneDevice = Engine.Cpu();
            using Trainer alone = Engine.Trainer(options with { Shape = new StepShape(1, ids.Length, 1), DocumentEnd = null }, aloneDevice);
            for (int i = 0; i < ids.Length; i++)
            {
                int place = document.Start.Value + i;
                double expected = alone.Evaluate(ids, Only(labels[document], i)).LossSum;
                Compare.AllClose([packed.Evaluate(tokens, Only(labels, place)).LossSum], [expected], 1e-5, 0, $"token {place}");
            }
        }
    }

    [Fact]
    public void What_other_documents_hold_changes_no_byte()
    {
        TrainingOptions options = Masked(new StepShape(1, Length, 1));
        using CpuDevice device = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(options, device);
        int[] tokens = [.. Enumerable.Range(0, Length).Select(i => i == 12 ? End : i)];
        int[] labels = [.. Enumerable.Range(0, Length).Select(i => i <= 12 ? -100 : i + 1)];
        double before = trainer.Evaluate(tokens, labels).LossSum;
        tokens.AsSpan(0, 12).Fill(7);
        Assert.Equal(before, trainer.Evaluate(tokens, labels).LossSum);
        tokens[12] = 7;
        Assert.NotEqual(before, trainer.Evaluate(tokens, labels).LossSum);
    }

    [Fact]
    public void The_plan_has_the_starts_and_whole_sequences_have_none()
    {
        var profile = new CpuProfile(threads: 2);
        TrainingOptions options = Masked(new StepShape(2, Length, 3));
        Assert.Equal(2 * Length * 3 * 4, Starts(options)?.Bytes);
        Assert.Null(Starts(options with { DocumentEnd = null }));

        PlannedTensor? Starts(TrainingOptions of) =>
            new TrainingLayout(of, profile).Plan.Table.Tensors.FirstOrDefault(tensor => tensor.Name == "input.document_starts");
    }

    [Fact]
    public void Steps_allocate_nothing_on_the_managed_heap()
    {
        TrainingOptions options = Masked(new StepShape(2, Length, 2));
        (int[] tokens, int[] labels) = Documents(options, seed: 7);
        using var device = new CpuDevice(threads: 1);
        using Trainer trainer = Engine.Trainer(options, device);
        trainer.Step(tokens, labels);
        trainer.Step(tokens, labels);
        long before = GC.GetAllocatedBytesForCurrentThread();
        trainer.Step(tokens, labels);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static TrainingOptions Masked(StepShape shape, bool tied = false) =>
        TrainingStepTests.Dense(Engine.TinyModel(tied), shape) with { DocumentEnd = End };

    /// <summary>Sequences of documents of 1 to 9 tokens; the targets are the next tokens, but none across documents.</summary>
    private static (int[] Tokens, int[] Labels) Documents(TrainingOptions options, int seed)
    {
        var random = new Random(seed);
        int[] tokens = [.. Enumerable.Range(0, options.Shape.TokensPerStep).Select(_ => random.Next(5) == 0 ? End : random.Next(End))];
        int[] labels = [.. tokens.Select((token, i) => token == End ? -100 : i + 1 < tokens.Length ? tokens[i + 1] : 3)];
        return (tokens, labels);
    }

    /// <summary>Documents end with their end token and with their sequence.</summary>
    private static List<Range> Cut(int[] tokens)
    {
        var documents = new List<Range>();
        int start = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] == End || (i + 1) % Length == 0)
            {
                documents.Add(start..(i + 1));
                start = i + 1;
            }
        }

        return documents;
    }

    private static int[] Only(int[] labels, int place)
    {
        int[] only = new int[labels.Length];
        Array.Fill(only, -100);
        only[place] = labels[place] < 0 ? 1 : labels[place];
        return only;
    }
}
