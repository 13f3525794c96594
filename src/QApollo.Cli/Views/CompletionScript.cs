using System.CommandLine;
using System.Text;
using QApollo.Cli.Options;

namespace QApollo.Cli.Views;

/// <summary>Completion scripts with all commands, options and words in them: completing starts no program. Values that are no words complete as files.</summary>
internal static class CompletionScript
{
    public static string Bash(RootCommand root)
    {
        (string Path, Command Command)[] commands = [.. All(root, string.Empty)];
        var text = new StringBuilder("""
            _qapollo() {
                local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" words="" word
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    case "$path $word" in

            """);
        text.Append($"            {string.Join('|', commands.Skip(1).Select(command => $"\" {command.Path}\""))}) path=\"$path $word\" ;;\n");
        text.Append("        esac\n    done\n    case \"$path:$previous\" in\n");
        foreach ((string path, OptionSpec spec) in Valued(commands))
        {
            string reply = spec.Words.Count == 0 ? "COMPREPLY=()" : $"COMPREPLY=($(compgen -W \"{string.Join(' ', spec.Words)}\" -- \"$current\"))";
            text.Append($"        \"{Lead(path)}:{spec.Name}\") {reply}; return ;;\n");
        }

        text.Append("    esac\n    case \"$path\" in\n");
        foreach ((string path, Command command) in commands)
        {
            text.Append($"        \"{Lead(path)}\") words=\"{string.Join(' ', Offered(root, command))}\" ;;\n");
        }

        return text.Append("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\ncomplete -o default -F _qapollo qapollo\n").Replace("\r\n", "\n").ToString();
    }

    public static string Zsh(RootCommand root) => "autoload -U +X bashcompinit && bashcompinit\n" + Bash(root);

    public static string PowerShell(RootCommand root)
    {
        (string Path, Command Command)[] commands = [.. All(root, string.Empty)];
        var text = new StringBuilder("""
            Register-ArgumentCompleter -Native -CommandName qapollo -ScriptBlock {
                param($wordToComplete, $commandAst, $cursorPosition)
                $offered = @{

            """);
        foreach ((string path, Command command) in commands)
        {
            text.Append($"        '{path}' = {Array(Offered(root, command))}\n");
        }

        text.Append("    }\n    $values = @{\n");
        foreach ((string path, OptionSpec spec) in Valued(commands))
        {
            text.Append($"        '{path} {spec.Name}' = {Array(spec.Words)}\n");
        }

        text.Append("""
                }
                $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
                if ($wordToComplete) { $words = @($words | Select-Object -SkipLast 1) }
                $path = ''
                foreach ($word in $words) {
                    $next = "$path $word".Trim()
                    if ($offered.ContainsKey($next)) { $path = $next }
                }
                $last = if ($words.Count -gt 0) { "$path $($words[-1])" } else { '' }
                $choices = if ($values.ContainsKey($last)) { $values[$last] } else { $offered[$path] }
                $choices | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
                }
            }

            """);
        return text.Replace("\r\n", "\n").ToString();
    }

    private static IEnumerable<(string Path, Command Command)> All(Command command, string path) =>
        command.Subcommands.SelectMany(sub => All(sub, $"{path} {sub.Name}".Trim())).Prepend((path, command));

    /// <summary>Options that take a value, of every command.</summary>
    private static IEnumerable<(string Path, OptionSpec Spec)> Valued(IEnumerable<(string Path, Command Command)> commands) =>
        commands.SelectMany(command => command.Command.Options.OfType<IDeclaredOption>().Where(option => !option.Spec.IsFlag).Select(option => (command.Path, option.Spec)));

    private static IEnumerable<string> Offered(RootCommand root, Command command) =>
        (command.Name == "help" ? root : command).Subcommands.Select(sub => sub.Name)
            .Concat(command.Options.Concat(root.Options.Where(option => option.Recursive)).Select(option => option.Name).Where(name => name.StartsWith("--", StringComparison.Ordinal)).Distinct());

    private static string Lead(string path) => path.Length == 0 ? string.Empty : " " + path;

    private static string Array(IEnumerable<string> words) => $"@({string.Join(", ", words.Select(word => $"'{word}'"))})";
}
