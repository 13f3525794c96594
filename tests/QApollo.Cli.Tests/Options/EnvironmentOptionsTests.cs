using QApollo.Cli.Options;
using QApollo.Cli.Tests.Attacks;
using Xunit;
using D = QApollo.Cli.Options.DataOptionTable;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Tests.Options;

/// <summary>Options from variables.</summary>
[Collection(ConsoleCollection.Name)]
public class EnvironmentOptionsTests
{
    [Fact]
    public void A_variable_stands_in_for_the_default_and_behind_everything_else()
    {
        var values = new OptionValues(T.All);
        values.Set(T.SeqLen, 32);
        var errors = new List<string>();
        EnvironmentOptions.Read(values, Variables(("QAPOLLO_BATCH_SIZE", "3"), ("QAPOLLO_SEQ_LEN", "64"), ("QAPOLLO_QUIET", "1"), ("QAPOLLO_LR", ""), ("QAPOLLO_DATA", $"a{Path.PathSeparator}b")), errors);
        Assert.Empty(errors);
        Assert.Equal(3, values.Get(T.BatchSize));
        Assert.Equal(32, values.Get(T.SeqLen));
        Assert.True(values.Get(T.Quiet));
        Assert.False(values.IsGiven(T.LearningRate));
        Assert.Equal(["a", "b"], values.Get(D.Data));
        Assert.True(values.IsGiven(T.BatchSize) && !values.IsExplicit(T.BatchSize));
    }

    [Theory]
    [InlineData("QAPOLLO_BATCH_SIZE", "0", "QAPOLLO_BATCH_SIZE: --batch-size: '0' is not valid")]
    [InlineData("QAPOLLO_STRICT", "maybe", "QAPOLLO_STRICT: 'maybe' is not valid; it takes 1 or 0")]
    public void A_wrong_value_names_its_variable(string name, string value, string expected)
    {
        var errors = new List<string>();
        EnvironmentOptions.Read(new OptionValues(T.All), Variables((name, value)), errors);
        Assert.StartsWith(expected, Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_variable_that_is_nearly_an_options_is_told()
    {
        string[] names = ["QAPOLLO_BATHC_SIZE", "QAPOLLO_BATCH_SIZE", "QAPOLLO_SOMETHING_ELSE", "PATH"];
        Assert.Equal(
            "note: QAPOLLO_BATHC_SIZE is no option's variable; did you mean QAPOLLO_BATCH_SIZE?", Assert.Single(EnvironmentOptions.Misspelt(Program.CreateRoot(), names)));
    }

    [Fact]
    public void A_resumed_run_keeps_its_options_whatever_the_environment_says()
    {
        using var tiny = new TinyRun();
        ProcessResult first = QApolloProcess.RunWith(("QAPOLLO_SAVE_EVERY", "1"), tiny.Train("run", 3, "--keep", "0"));
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.True(Directory.Exists(Path.Combine(tiny.RunFolder("run"), "step-000001")));

        ProcessResult resumed = QApolloProcess.RunWith(("QAPOLLO_BATCH_SIZE", "7"), "train", "--resume", "--output-dir", tiny.RunFolder("run"), "--max-steps", "4");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.DoesNotContain("--batch-size 2 -> 7", resumed.Output, StringComparison.Ordinal);
        Assert.Contains("\"batchSize\": 2,", File.ReadAllText(Path.Combine(tiny.RunFolder("run"), "run.json")), StringComparison.Ordinal);
    }

    private static Func<string, string?> Variables(params (string Name, string Value)[] variables) =>
        name => variables.FirstOrDefault(variable => variable.Name == name).Value;
}
