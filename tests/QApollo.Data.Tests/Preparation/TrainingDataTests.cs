using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Preparation;

public sealed class TrainingDataTests : IDisposable
{
    private readonly PreparationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_data_set_folder_works_as_it_is()
    {
        _fixture.Write("README.md", "---\nlicense: mit\n---\n");
        _fixture.Write("data/train-00000-of-00002.parquet", Format("duckdb-snappy-v1.parquet"));
        _fixture.Write("data/train-00001-of-00002.parquet", Format("rust-plain-v1.parquet"));
        _fixture.Write("data/validation-00000-of-00001.parquet", Format("duckdb-blob.parquet"));
        _fixture.Write("data/test-00000-of-00001.parquet", Format("duckdb-blob.parquet"));

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.01 });

        int texts = Documents.FormatRows.Texts(60).Length;
        Assert.Equal(2 * texts, PreparationFixture.Documents(data.Train).Length);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"blob {i}"), PreparationFixture.Documents(data.Validation));
        Assert.Contains(data.Notes, note => note.StartsWith("validation is the data set's own split: ", StringComparison.Ordinal));
        string leftOut = Assert.Single(data.Notes, note => note.StartsWith("left out of the data set: ", StringComparison.Ordinal));
        Assert.Contains("test-00000-of-00001.parquet and 1 more files", leftOut, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_of_ones_own_has_the_training_split_alone_and_that_is_told()
    {
        _fixture.WriteDocuments("train.jsonl", 20);
        _fixture.Write("validation.jsonl", "{\"text\":\"split\"}");
        string output = _fixture.File("output");

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.01, OutputFolder = output });

        Assert.Equal(["split"], PreparationFixture.Documents(data.Validation));
        Assert.Contains($"{output} has the tokens of training only: give the split's files to train as --valid-data", data.Notes);
    }

    [Fact]
    public void Without_a_held_out_share_or_beside_other_validation_the_split_is_left_out()
    {
        _fixture.WriteDocuments("train.jsonl", 20);
        string validation = _fixture.Write("validation.jsonl", "{\"text\":\"split\"}");

        using (PreparedData data = _fixture.Prepare())
        {
            Assert.Null(data.Validation);
            Assert.Equal(20, PreparationFixture.Documents(data.Train).Length);
            Assert.Contains(validation, Assert.Single(data.Notes), StringComparison.Ordinal);
        }

        string other = _fixture.File("other.txt");
        File.WriteAllText(other, "other");
        using PreparedData beside = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.1, ValidationData = [other] });
        Assert.Equal(["other"], PreparationFixture.Documents(beside.Validation));
        Assert.Contains(validation, Assert.Single(beside.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_split_of_training_names_mean_nothing()
    {
        _fixture.Write("README.md", "read");
        _fixture.Write("test.txt", "test");
        _fixture.Write("validation.txt", "validation");

        using PreparedData data = _fixture.Prepare();

        Assert.Equal(["read", "test", "validation"], PreparationFixture.Documents(data.Train));
        Assert.Empty(data.Notes);
    }

    [Fact]
    public void A_mixture_prepares_each_source_with_its_own_held_out_part()
    {
        _fixture.WriteDocuments("web/a.jsonl", 300);
        _fixture.WriteDocuments("code/a.jsonl", 200);
        _fixture.Write("code/b.jsonl", "{\"text\":null}\n{\"text\":\"ok\"}");
        PreparationOptions options = _fixture.Options with
        {
            Data = [$"{_fixture.File("text/web")}=0.7", $"{_fixture.File("text/code")}=0.3"],
            HeldOutFraction = 0.1,
        };

        using var data = TrainingData.Prepare(options, new ByteTokenizer(), WhenExhausted.Repeat);

        Assert.Equal(["web", "code"], data.Datasets.Select(dataset => dataset.Name));
        Assert.StartsWith("code: skipped 1 rows without text", Assert.Single(data.Notes), StringComparison.Ordinal);
        var batchOptions = new BatchOptions(4, 64, 257, 256);
        Assert.Equal([0.7, 0.3], data.CreateBatches(batchOptions).Sources.Select(source => source.Weight));
        Assert.Equal(["web", "code"], data.CreateValidation(batchOptions, 1000)!.Parts.Select(part => part.Name));
        Assert.Equal(data.TrainTokens, data.CreateBatches(batchOptions).DataTokens);
        Assert.Throws<UsageException>(
            () => TrainingData.Prepare(options with { OutputFolder = _fixture.File("out") }, new ByteTokenizer(), WhenExhausted.Repeat));
    }

    private static byte[] Format(string name) => File.ReadAllBytes(Documents.FormatFiles.File(name));
}
