using System.Text;
using QApollo.Data.Tokenizers;
using Xunit;

namespace QApollo.Data.Tests.Preparation;

public sealed class HeldOutSplitTests : IDisposable
{
    private readonly PreparationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_document_s_side_depends_on_its_text_and_the_seed_only()
    {
        PreparationOptions options = _fixture.Options with { HeldOutFraction = 0.1 };
        _fixture.WriteDocuments("b.jsonl", 1000);
        HashSet<string> heldOut = HeldOut(options);
        Assert.InRange(heldOut.Count, 60, 140);

        _fixture.WriteDocuments("b.jsonl", 1400);
        _fixture.Write("a.txt", "Another file before it.");
        HashSet<string> more = HeldOut(options);
        Assert.Equal(heldOut.Order(), more.Where(text => PreparationFixture.Documents(1000).Contains(text)).Order());

        HashSet<string> otherSeed = HeldOut(options with { SplitSeed = 1 });
        Assert.InRange(otherSeed.Intersect(heldOut).Count(), 0, 30);
    }

    [Fact]
    public void Training_and_validation_share_nothing_and_lose_nothing()
    {
        _fixture.WriteDocuments("a.jsonl", 300);
        _fixture.WriteDocuments("copy.jsonl", 300);

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.2, ShardTokens = 5000 });

        string[] train = PreparationFixture.Documents(data.Train);
        string[] validation = PreparationFixture.Documents(data.Validation);
        Assert.Equal(HeldOutKind.Documents, data.Manifest!.HeldOut);
        Assert.Empty(train.Intersect(validation));
        Assert.Equal(PreparationFixture.Documents(300).Concat(PreparationFixture.Documents(300)).Order(), train.Concat(validation).Order());
        Assert.Empty(data.Notes);
    }

    [Fact]
    public void Pieces_of_a_long_document_stay_together()
    {
        // With half of ten documents held out, a document whose pieces were parted would show on both sides.
        for (int i = 0; i < 10; i++)
        {
            _fixture.Write($"{i}.txt", new string((char)('a' + i), 1_200_000));
        }

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.5 });

        Assert.Equal(HeldOutKind.Documents, data.Manifest!.HeldOut);
        string[] train = PreparationFixture.Documents(data.Train);
        string[] validation = PreparationFixture.Documents(data.Validation);
        Assert.NotEmpty(train);
        Assert.NotEmpty(validation);
        Assert.All(train.Concat(validation), text => Assert.Equal(1_200_000, text.Length));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Of_few_documents_the_end_is_held_out_and_that_is_told(int documents)
    {
        for (int i = 0; i < documents; i++)
        {
            _fixture.Write($"{i}.txt", new string('x', 10_000 / documents));
        }

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.05 });

        Assert.Equal(HeldOutKind.End, data.Manifest!.HeldOut);
        Assert.Equal(500, data.Validation!.Count);
        Assert.Equal(10_000 + documents - 500, data.Train.Count);
        Assert.Equal(256, PreparationFixture.Tokens(data.Validation)[^1]);
        Assert.Contains("last 5.0 %", Assert.Single(data.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Validation_data_of_its_own_replaces_the_split()
    {
        _fixture.WriteDocuments("a.jsonl", 100);
        File.WriteAllText(_fixture.File("valid.txt"), "validation");

        using PreparedData data = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.3, ValidationData = [_fixture.File("valid.txt")] });

        Assert.Equal(PreparationFixture.Documents(100), PreparationFixture.Documents(data.Train));
        Assert.Equal("validation", Assert.Single(PreparationFixture.Documents(data.Validation)));
    }

    [Fact]
    public void Small_texts_are_split_in_memory_alike()
    {
        _fixture.WriteDocuments("a.jsonl", 300);
        var tokenizer = new ByteTokenizer();
        using PreparedData files = _fixture.Prepare(_fixture.Options with { HeldOutFraction = 0.1 });

        using PreparedData memory = PreparedData.InMemory(
            tokenizer, PreparationFixture.Documents(300).Append(string.Empty).Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text)), 0.1);

        Assert.Equal(PreparationFixture.Tokens(files.Train), PreparationFixture.Tokens(memory.Train));
        Assert.Equal(PreparationFixture.Tokens(files.Validation), PreparationFixture.Tokens(memory.Validation));

        using PreparedData one = PreparedData.InMemory(tokenizer, [new byte[1000]], 0.1);
        Assert.Equal((901, 100), (one.Train.Count, one.Validation!.Count));
        Assert.Single(one.Notes);
        Assert.Throws<UsageException>(() => PreparedData.InMemory(tokenizer, [default]));
    }

    private HashSet<string> HeldOut(PreparationOptions options)
    {
        using PreparedData data = _fixture.Prepare(options);
        return [.. PreparationFixture.Documents(data.Validation)];
    }
}
