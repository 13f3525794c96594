using QApollo.TestSupport;
using QApollo.TestSupport.Goldens;
using Xunit;

namespace QApollo.Tests.TestSupport;

public sealed class GoldenFolderTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_variable_comes_first_then_the_shared_folder_then_the_subset()
    {
        string root = Directory.CreateDirectory(folder.File("repository")).FullName;
        Assert.Equal(Path.Combine(root, "tests", "goldens"), GoldenFolder.Find(null, root));
        Assert.Equal(Path.Combine(root, "tests", "goldens"), GoldenFolder.Find("", root));

        string shared = Directory.CreateDirectory(folder.File("shared/goldens")).FullName;
        Assert.Equal(shared, GoldenFolder.Find(null, root));

        string own = Directory.CreateDirectory(folder.File("own")).FullName;
        Assert.Equal(own, GoldenFolder.Find(own, root));
        Assert.Throws<DirectoryNotFoundException>(() => GoldenFolder.Find(folder.File("missing"), root));
    }

    [Fact]
    public void Sets_are_found_by_their_manifests_whatever_they_are_called()
    {
        File.WriteAllText(folder.File("seed_7.json"), """{"case": "apollo_mini"}""");
        File.WriteAllText(folder.File("apollo_channel.json"), """{"case": "apollo_channel"}""");
        File.WriteAllText(folder.File("q.json"), """{"case": "q_apollo_matrix"}""");
        File.WriteAllText(folder.File("other.json"), """{"kind": 1}""");
        Directory.CreateDirectory(folder.File("tiny"));
        File.WriteAllText(folder.File("tiny/manifest.json"), """{"case": "llama_forward_backward_c"}""");
        File.WriteAllText(folder.File("tiny/config.json"), """{"case": "apollo_mini"}""");
        Directory.CreateDirectory(folder.File("no manifest"));

        Assert.Equal(["apollo_channel", "seed_7"], GoldenFolder.Sets(folder.Path, "apollo_"));
        Assert.Equal(["q"], GoldenFolder.Sets(folder.Path, "q_apollo_"));
        Assert.Equal(["tiny"], GoldenFolder.Sets(folder.Path, "llama_forward_backward"));
        Assert.Empty(GoldenFolder.Sets(folder.Path, "adamw"));
    }

    [Theory]
    [InlineData("apollo_")]
    [InlineData("q_apollo_")]
    [InlineData("adamw")]
    [InlineData("int8_group_quant")]
    [InlineData("llama_forward_backward")]
    [InlineData("llama_train_apollo")]
    [InlineData("llama_train_q_apollo")]
    public void Every_kind_is_there(string kind) => Assert.NotEmpty(GoldenFolder.Sets(kind));
}
