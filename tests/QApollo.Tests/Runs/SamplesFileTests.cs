using QApollo.Runs;
using Xunit;

namespace QApollo.Tests.Runs;

public sealed class SamplesFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qapollo-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Samples_come_back_as_they_were_and_those_before_a_rewind_are_gone()
    {
        SamplesFile.Add(_folder, 10, "a\n\"b\" \u001b[2J \U0001F600");
        SamplesFile.Add(_folder, 20, "second");
        SamplesFile.Add(_folder, 30, "third");
        SamplesFile.Add(_folder, 20, "again");
        Assert.Equal([(10, "a\n\"b\" \u001b[2J \U0001F600"), (20, "again")], SamplesFile.Read(_folder));
    }

    [Fact]
    public void Lines_of_something_else_are_passed_over()
    {
        Assert.Empty(SamplesFile.Read(_folder));
        File.WriteAllText(Path.Combine(_folder, SamplesFile.Name), "no JSON\n{\"step\":1}\n{\"step\":\"1\",\"text\":\"x\"}\n[]\n{\"step\":2,\"text\":\"y\"}\n{\"step\":3,\"te");
        Assert.Equal([(2, "y")], SamplesFile.Read(_folder));
    }
}
