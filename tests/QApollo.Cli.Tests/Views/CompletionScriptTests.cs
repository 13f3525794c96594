using System.Diagnostics;
using QApollo.Cli.Options;
using QApollo.Cli.Views;
using Xunit;

namespace QApollo.Cli.Tests.Views;

/// <summary>Completion in shells; bash's is tried where there is one.</summary>
public class CompletionScriptTests
{
    [Theory]
    [InlineData("qapollo tr", "train")]
    [InlineData("qapollo train --batch", "--batch-size")]
    [InlineData("qapollo train --lr 0.1 --optimizer apollo", "apollo-mini apollo")]
    [InlineData("qapollo data ", "prepare --help --verbose")]
    [InlineData("qapollo data prepare --valid", "--valid-share")]
    [InlineData("qapollo train --data tr", "")]
    [InlineData("qapollo help tr", "train")]
    public void Bash_completes_commands_options_and_words(string line, string expected)
    {
        if (!File.Exists("/bin/bash"))
        {
            return;
        }

        string[] words = line.Split(' ');
        string script = CompletionScript.Bash(Program.CreateRoot())
            + $"COMP_WORDS=({string.Join(' ', words.Select(word => $"'{word}'"))}); COMP_CWORD={words.Length - 1}; _qapollo; echo \"${{COMPREPLY[*]}}\"\n";
        var start = new ProcessStartInfo("/bin/bash") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process bash = Process.Start(start)!;
        bash.StandardInput.Write(script);
        bash.StandardInput.Close();
        string output = bash.StandardOutput.ReadToEnd().Trim();
        Assert.Equal(string.Empty, bash.StandardError.ReadToEnd());
        Assert.Equal(expected.Split(' ').Order(), output.Split(' ').Order());
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("powershell")]
    public void Every_option_is_in_every_script(string shell)
    {
        ProcessResult result = QApolloProcess.Run("completion", shell);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.All(TrainOptionTable.All, option => Assert.Contains(option.Name, result.Output, StringComparison.Ordinal));
        Assert.Contains("low-discrepancy", result.Output, StringComparison.Ordinal);
    }
}
