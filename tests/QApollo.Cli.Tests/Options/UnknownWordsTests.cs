using QApollo.Cli.Options;
using Xunit;

namespace QApollo.Cli.Tests.Options;

/// <summary>Misspelt options and commands are named, with what was meant.</summary>
public class UnknownWordsTests
{
    public static TheoryData<string[], string> Misspelt => new()
    {
        { ["train", "--data", "text.txt", "--modle", "demo"], "--modle demo: unknown option; did you mean --model?" },
        { ["train", "--lr", "--sed", "3"], "--sed 3: unknown option; did you mean --seed?" },
        { ["train", "-model", "demo"], "-model demo: unknown option; did you mean --model?" },
        { ["train", "--max_steps=3"], "--max_steps=3: unknown option; did you mean --max-steps?" },
        { ["train", "--gemm-products", "--quiett"], "--quiett: unknown option; did you mean --quiet?" },
        { ["train", "--zzzzzz"], "--zzzzzz: unknown option; see: qapollo train --help" },
        { ["train", "demo"], "demo: qapollo train takes options only; see: qapollo train --help" },
        { ["train", "--", "--model", "demo"], "--model demo: unknown option" },
        { ["generate", "--checkpiont", "x"], "--checkpiont x: unknown option; did you mean --checkpoint?" },
        { ["trian"], "trian: unknown command; did you mean train?" },
        { ["frobnicate"], "frobnicate: unknown command; see: qapollo --help" },
        { ["data", "prepair"], "prepair: unknown command; did you mean prepare?; see: qapollo data --help" },
        { ["--verbos", "presets"], "--verbos: unknown option; did you mean --verbose?" },
        { ["version", "--bogus"], "--bogus: unknown option; see: qapollo version --help" },
        { ["version", "extra"], "extra: qapollo version takes options only" },
        { ["completion", "bash", "extra"], "extra: qapollo completion bash takes options only" },
        { ["completion", "--bogus"], "--bogus: unknown option; see: qapollo completion --help" },
        { ["tokenizer"], "qapollo tokenizer: needs a command: train" },
    };

    [Theory]
    [MemberData(nameof(Misspelt))]
    public void A_misspelt_word_is_named_with_the_nearest_known_one(string[] arguments, string expected)
    {
        ProcessResult result = QApolloProcess.Run(arguments);
        Assert.Equal((2, string.Empty), (result.ExitCode, result.Output));
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.StartsWith("qapollo", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("--modle: no such file", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_help_tells_the_exit_codes()
    {
        string help = string.Join(' ', QApolloProcess.Run("--help").Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("130 stopped by Ctrl+C, 143 by SIGTERM", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("modle", "model", 1)]
    [InlineData("model", "model", 0)]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("LR", "lr", 0)]
    public void Distances_are_those_of_optimal_string_alignment(string from, string to, int expected) => Assert.Equal(expected, Spelling.Distance(from, to));
}
