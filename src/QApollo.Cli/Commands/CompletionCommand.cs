using System.CommandLine;
using QApollo.Cli.Options;
using QApollo.Cli.Views;

namespace QApollo.Cli.Commands;

/// <summary>`qapollo completion bash`: a script with which the shell completes commands, options and their words.</summary>
internal static class CompletionCommand
{
    public static Command Create(RootCommand root)
    {
        var command = new Command("completion", "Print a script that completes commands, options and their words in a shell.");
        command.Subcommands.Add(Shell("bash", "For bash: source <(qapollo completion bash)", () => CompletionScript.Bash(root)));
        command.Subcommands.Add(Shell("zsh", "For zsh: source <(qapollo completion zsh), after compinit.", () => CompletionScript.Zsh(root)));
        command.Subcommands.Add(Shell(
            "powershell", "For PowerShell: qapollo completion powershell | Out-String | Invoke-Expression", () => CompletionScript.PowerShell(root)));
        return command;
    }

    private static Command Shell(string name, string description, Func<string> script)
    {
        var command = new Command(name, description);
        command.SetAction(parsed =>
        {
            CommandLine.RequireNoMore(parsed);
            Console.Write(script());
            return ExitCode.Success;
        });
        return command;
    }
}
