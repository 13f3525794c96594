using System.CommandLine;
using System.Text;
using System.Text.Json;
using QApollo.Cli.Options;
using QApollo.Cli.Tests.Attacks;
using QApollo.Cli.Views;
using Xunit;
using CommandLine = QApollo.Cli.Options.CommandLine;
using T = QApollo.Cli.Options.TrainOptionTable;

namespace QApollo.Cli.Tests.Options;

/// <summary>What a run says of its options can be typed again.</summary>
[Collection(ConsoleCollection.Name)]
public class OptionEchoTests
{
    private static readonly string[] Texts =
    [
        "plain", "two words", "it's", "say \"so\"", "$HOME", "back\\slash\\", "--data", "-x", "-", "- a list", "--", "@file", "a=b", "a:b", "100%", "été", "`id`", "a;b|c&d", "*", "~",
        "{x}", "(y)", "[z]", "#", "!", "tab\there", "two\nlines", "esc\u001B[31mred", "it's\u0007\\n", "\u202Ertl", "nel\u0085é",
    ];

    [Fact]
    public void Random_options_parse_back_from_what_is_shown()
    {
        var random = new Random(20260101);
        for (int round = 0; round < 300; round++)
        {
            OptionValues values = Draw(random);
            string all = string.Join(' ', OptionEcho.Lines(values, all: true).Select(WithoutGroup));
            string changed = string.Join(' ', OptionEcho.Lines(values, all: false).Select(WithoutGroup));
            Assert.Equal(Json(values), Json(Parse(all)));
            Assert.Equal(Json(values), Json(Parse(changed)));
            Assert.True(changed.Length <= all.Length);
        }
    }

    [Fact]
    public void Without_options_nothing_differs_and_no_default_is_a_number_that_means_none()
    {
        var values = new OptionValues(T.All);
        Assert.Empty(OptionEcho.Lines(values, all: false));
        string all = string.Join('\n', OptionEcho.Lines(values, all: true));
        Assert.Contains("--expand-weights on", all, StringComparison.Ordinal);
        Assert.DoesNotContain("-1", all, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", all, StringComparison.Ordinal);
        Assert.DoesNotContain("--warmup-steps", all, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a b", "'a b'", "\"a b\"")]
    [InlineData("it's", "'it'\\''s'", "\"it's\"")]
    [InlineData("a\"b", "'a\"b'", "\"a\\\"b\"")]
    [InlineData("a b\\", "'a b\\'", "\"a b\\\\\"")]
    [InlineData("C:\\x", "'C:\\x'", "C:\\x")]
    [InlineData("", "''", "\"\"")]
    [InlineData("it's\u001B", "$'it\\'s\\033'", "\"it's\u001B\"")]
    [InlineData("plain-word_1.txt", "plain-word_1.txt", "plain-word_1.txt")]
    public void Words_are_quoted_for_each_kind_of_shell(string text, string posix, string windows)
    {
        Assert.Equal(posix, ShellWord.QuoteForPosix(text));
        Assert.Equal(windows, ShellWord.QuoteForWindows(text));
    }

    private static OptionValues Draw(Random random)
    {
        var values = new OptionValues(T.All);
        foreach (OptionSpec spec in T.All.Where(spec => !spec.IsTransient && random.Next(3) == 0))
        {
            string[] candidates = spec switch
            {
                FlagSpec => ["true"],
                ListSpec => [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Texts[random.Next(Texts.Length)])],
                _ => [.. Texts, .. (spec.RangeText ?? string.Empty).Split(", "), "0", "1", "32", "0.5", "1e-07", "123456789", "on", "off"],
            };

            // A value that the option allows; some have few.
            for (int attempt = 0; attempt < 40; attempt++)
            {
                IReadOnlyList<string> texts = spec.IsList ? candidates : [candidates[random.Next(candidates.Length)]];
                if (spec.TryParse(texts, out object? value, out _))
                {
                    values.Set(spec, value!);
                    break;
                }
            }
        }

        return values;
    }

    private static OptionValues Parse(string line)
    {
        var root = new RootCommand();
        var command = new Command("train");
        root.Subcommands.Add(command);
        var commandLine = new CommandLine(command, T.All);
        command.TreatUnmatchedTokensAsErrors = false;
        ParseResult parsed = root.Parse(
            UnknownWords.MoveBack(root, ["train", .. Words(line)]), new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        var errors = new List<string>();
        OptionValues values = commandLine.Read(parsed, errors);
        Assert.True(errors.Count == 0, $"{string.Join('\n', errors)}\nof: {line}");
        return values;
    }

    private static string WithoutGroup(string line) => line[(line.IndexOf(": ", StringComparison.Ordinal) + 2)..];

    private static string Json(OptionValues values)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            values.WriteJson(writer);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>The text of a $'...' word that begins at <paramref name="i"/>, which is left at its end: octal bytes and marked characters.</summary>
    private static string Escaped(string line, ref int i)
    {
        var bytes = new List<byte>();
        for (i += 2; line[i] != '\''; i++)
        {
            if (line[i] == '\\' && char.IsAsciiDigit(line[i + 1]))
            {
                bytes.Add(Convert.ToByte(line.Substring(i + 1, 3), 8));
                i += 3;
                continue;
            }

            i += line[i] == '\\' ? 1 : 0;
            bytes.AddRange(Encoding.UTF8.GetBytes(line[i].ToString()));
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>As a POSIX shell cuts a line, or as programs on Windows do.</summary>
    private static List<string> Words(string line)
    {
        char quote = OperatingSystem.IsWindows() ? '"' : '\'';
        var words = new List<string>();
        var word = new StringBuilder();
        bool quoted = false;
        bool begun = false;
        for (int i = 0; i < line.Length; i++)
        {
            char character = line[i];
            if (!quoted && !OperatingSystem.IsWindows() && line.AsSpan(i).StartsWith("$'"))
            {
                word.Append(Escaped(line, ref i));
                begun = true;
            }
            else if (character == '\\' && i + 1 < line.Length && line[i + 1] is '\\' or '\'' or '"' && (!quoted || OperatingSystem.IsWindows()))
            {
                word.Append(line[++i]);
                begun = true;
            }
            else if (character == quote)
            {
                (quoted, begun) = (!quoted, true);
            }
            else if (character == ' ' && !quoted)
            {
                if (begun)
                {
                    words.Add(word.ToString());
                }

                word.Clear();
                begun = false;
            }
            else
            {
                word.Append(character);
                begun = true;
            }
        }

        if (begun)
        {
            words.Add(word.ToString());
        }

        return words;
    }
}
