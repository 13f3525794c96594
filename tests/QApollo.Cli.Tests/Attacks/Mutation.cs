using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using QApollo.TestSupport;

namespace QApollo.Cli.Tests.Attacks;

/// <summary>One damage of one file, by somebody who means harm or by a disk that fails.</summary>
internal static partial class Mutation
{
    private static readonly string[] Numbers =
    [
        "-1", "0", "1", "2147483647", "2147480000", "-2147483648", "4294967296", "9223372036854775807", "99999999999999999999", "1e308", "1e999",
        "-0.0", "0.5", "1e-320", "null", "true", "\"7\"", "[]", "{}",
    ];

    private static readonly string[] Texts =
    [
        "\\u001b[2J\\u001b]0;owned\\u0007", "\\ud800", "\\udc00\\ud800", "", "/dev/zero", "../../secret", "C:\\\\con", "a\\nb", "\\u202egnp.exe", "\\u0000",
        "NaN", "\u00e9\u0301\ud83d\ude00",
    ];

    /// <summary>Damages the file, or puts something else in its place.</summary>
    /// <returns>What was done, for messages.</returns>
    public static string Apply(string path, Random random)
    {
        int kind = random.Next(100);
        byte[] bytes = File.ReadAllBytes(path);
        bool isJson = path.EndsWith(".json", StringComparison.Ordinal) || path.EndsWith(".jsonl", StringComparison.Ordinal);
        if (isJson && kind < 45)
        {
            File.WriteAllBytes(path, Json(bytes, random, out string done));
            return done;
        }

        switch (kind)
        {
            case < 75:
                File.WriteAllBytes(path, FileDamage.Apply(bytes, random));
                return "bytes damaged";
            case < 85:
                int length = random.Next(bytes.Length + 1);
                File.WriteAllBytes(path, bytes[..length]);
                return $"cut to {length} bytes";
            case < 88:
                File.WriteAllBytes(path, [.. bytes, .. bytes]);
                return "written twice";
            case < 90:
                File.Delete(path);
                return "deleted";
            case < 92:
                File.Delete(path);
                Directory.CreateDirectory(path);
                return "a folder";
            case < 94:
                File.WriteAllBytes(path, Encoding.Unicode.GetBytes("\uFEFF" + Encoding.UTF8.GetString(bytes)));
                return "UTF-16";
            case < 96 when !OperatingSystem.IsWindows():
                File.Delete(path);
                File.CreateSymbolicLink(path, "/dev/zero");
                return "a link to /dev/zero";
            case < 98 when !OperatingSystem.IsWindows():
                File.Delete(path);
                using (var made = Process.Start("mkfifo", [path]))
                {
                    made.WaitForExit();
                }

                return "a pipe";
            default:
                File.WriteAllBytes(path, [.. "{\"a\":"u8, .. Enumerable.Repeat((byte)'[', 100_000)]);
                return "deep JSON";
        }
    }

    /// <summary>Another value or name at a random place of a JSON text.</summary>
    private static byte[] Json(byte[] bytes, Random random, out string done)
    {
        string text = Encoding.Latin1.GetString(bytes);
        MatchCollection values = Values().Matches(text);
        if (values.Count == 0)
        {
            done = "bytes damaged";
            return FileDamage.Apply(bytes, random);
        }

        Match match = values[random.Next(values.Count)];
        string replacement = match.Value.StartsWith('"') && random.Next(4) > 0
            ? $"\"{Latin1(Texts[random.Next(Texts.Length)])}\""
            : Numbers[random.Next(Numbers.Length)];
        if (random.Next(8) == 0)
        {
            // A byte that begins a character and does not end one.
            replacement = "\"\u00c3\"";
        }

        done = $"{match.Value} replaced by {replacement}";
        return Encoding.Latin1.GetBytes(string.Concat(text.AsSpan(0, match.Index), replacement, text.AsSpan(match.Index + match.Length)));
    }

    private static string Latin1(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    [GeneratedRegex("\"(\\\\.|[^\"\\\\])*\"|-?[0-9][0-9.eE+-]*|true|false|null")]
    private static partial Regex Values();
}
