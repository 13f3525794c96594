using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Inference;
using QApollo.Tests.Checkpoints;
using QApollo.Tests.Training;
using QApollo.TestSupport;
using QApollo.Training;
using Xunit;

namespace QApollo.Tests.Inference;

public class DataScoreTests
{
    private static readonly int[] Data = [.. Enumerable.Range(0, 90).Select(i => i * 7 % 60), 66, .. Enumerable.Range(0, 33)];

    [Theory]
    [InlineData(SequenceMode.Packed)]
    [InlineData(SequenceMode.Masked)]
    public void The_loss_is_that_of_a_trainers_evaluation_and_bytes_are_those_of_the_scored_tokens(SequenceMode packing)
    {
        using var temp = new TempFolder();
        Dictionary<string, float[]> values = ModelFolderTests.RandomValues();
        ModelFolderTests.WriteFolder(temp.Path, SafetensorsDType.F32, values);
        var batchOptions = new BatchOptions(3, 16, 67, 66, Mode: packing);
        int? documentEnd = packing == SequenceMode.Masked ? 66 : null;
        var batches = new ValidationBatches(TokenDataset.FromTokens(Data), batchOptions);
        using CpuDevice trainerDevice = Engine.Cpu();
        using Trainer trainer = Engine.Trainer(
            Engine.Options(Engine.TinyModel(), new StepShape(3, 16, 1)) with
            {
                Memory = new MemoryOptions { Weights = Engine.Dense },
                DocumentEnd = documentEnd,
            },
            trainerDevice);
        trainer.Load(values);
        (double loss, long counted) = Evaluation.MeanLoss(trainer, batches);

        using var folder = new ModelFolder(temp.Path);
        using CpuDevice device = Engine.Cpu();
        using var model = new InferenceModel(
            folder, new InferenceOptions { Model = folder.Config, Weights = Engine.Dense, BatchSize = 3, SequenceLength = 16, DocumentEnd = documentEnd },
            device);
        DataScore score = DataScore.Measure(model, batches, new NumberTokenizer(67));

        Compare.AllClose([score.Loss], [loss], 1e-6, 0, "loss");
        Assert.Equal(counted, score.Tokens);
        int ignored = packing == SequenceMode.Masked ? 1 : 0;
        Assert.Equal(Data.Length - 1 - ignored, score.Tokens);

        // Every token but the first, " n" each; the one behind the end of a document ("0") has no space, and the end no bytes.
        long bytes = Data.Skip(1).Sum(id => id == 66 ? 0 : $" {id}".Length) - 1 - ignored;
        Assert.Equal(bytes, score.Bytes);
        Compare.AllClose([score.Perplexity], [Math.Exp(loss)], 1e-6, 1e-6, "perplexity");
        Compare.AllClose([score.BitsPerByte], [loss * counted / Math.Log(2) / bytes], 1e-6, 1e-6, "bits per byte");
    }

    [Fact]
    public void A_byte_is_a_byte()
    {
        var decoder = new IncrementalDecoder(new ByteTokenizer());
        Assert.Equal(1, decoder.Between(256, 0xC3).Length);
        Assert.Equal(1, decoder.Between(0xC3, 0xA4).Length);
        Assert.Equal(0, decoder.Between(0xA4, 256).Length);
    }
}
