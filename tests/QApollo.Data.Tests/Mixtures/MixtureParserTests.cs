using Xunit;

namespace QApollo.Data.Tests.Mixtures;

public sealed class MixtureParserTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Paths_with_weights_are_a_mixture_and_paths_without_are_none()
    {
        Assert.Null(MixtureParser.TryParse(["web", "a=b.txt"]));
        Assert.Equal(
            [("web", "data/web/", 0.7), ("code.jsonl.zst", "code.jsonl.zst", 3)],
            MixtureParser.TryParse(["data/web/=0.7", "code.jsonl.zst=3"])!.Select(source => (source.Name, Assert.Single(source.Data), source.Weight)));
        Assert.Equal(["a/x", "b/x"], MixtureParser.TryParse(["a/x=1", "b/x=1"])!.Select(source => source.Name));
    }

    [Fact]
    public void A_file_that_is_called_so_is_a_file()
    {
        string path = _folder.Write("a=0.5", "text");

        Assert.Null(MixtureParser.TryParse([path]));
    }

    [Fact]
    public void A_json_file_names_its_sources_relative_to_itself()
    {
        string path = _folder.Write("mix.json", """{"sources": [{"name": "w", "data": ["web", "more"], "weight": 0.7}, {"data": "code/", "weight": 1}]}""");

        IReadOnlyList<MixtureSource> sources = MixtureParser.TryParse([path])!;

        Assert.Equal([("w", 0.7), ("code", 1.0)], sources.Select(source => (source.Name, source.Weight)));
        Assert.Equal([_folder.File("web"), _folder.File("more")], sources[0].Data);
        Assert.Equal([_folder.File("web"), _folder.File("more"), _folder.File("code/")], MixtureParser.Paths([path]));
    }

    [Theory]
    [InlineData("b has no weight, but others have", "a=0.5", "b")]
    [InlineData("the weight of b is 0", "a=0.5", "b=0")]
    [InlineData("the weight of b is -1", "a=0.5", "b=-1")]
    [InlineData("the weight of b is NaN", "a=0.5", "b=NaN")]
    [InlineData("there are two sources a", "a=0.5", "a=0.5")]
    public void What_is_no_mixture_is_said(string expected, params string[] data)
    {
        UsageException error = Assert.Throws<UsageException>(() => MixtureParser.TryParse(data));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"sources\": []}")]
    [InlineData("{\"sources\": [{\"data\": 7, \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": \"a\"}]}")]
    [InlineData("{\"sources\": [{\"data\": \"a\", \"weight\": \"1\"}]}")]
    [InlineData("{\"sources\": [{\"data\": [], \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": \"\", \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": [\"a\", \"\"], \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": \"a\", \"name\": \"\", \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": \"a\", \"name\": \"two\\nlines\", \"weight\": 1}]}")]
    [InlineData("{\"sources\": [{\"data\": \"a\", \"name\": null, \"weight\": 1}]}")]
    [InlineData("{\"sources\": [null]}")]
    public void Json_of_another_kind_is_said(string json)
    {
        string path = _folder.Write("mix.json", json);

        UsageException error = Assert.Throws<UsageException>(() => MixtureParser.TryParse([path]));

        Assert.StartsWith($"{path}: describes no mixture; that looks like", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_field_that_would_not_be_heeded_is_refused()
    {
        string path = _folder.Write("mix.json", """{"sources": [{"data": "a", "weight": 1, "text_field": "content"}]}""");

        UsageException error = Assert.Throws<UsageException>(() => MixtureParser.TryParse([path]));

        Assert.Equal($"{path}: a source has \"text_field\"; known are \"name\", \"data\" and \"weight\"", error.Message);
    }
}
