using System.Security.Cryptography;
using System.Text.Json;

namespace QApollo.Cli.Tests.Faults;

/// <summary>Files below a folder by their relative paths, each with a hash of its bytes.</summary>
internal static class FolderContent
{
    private static readonly string[] TemporaryMarks = [".tmp", ".partial", ".replaced", ".pending", ".lock"];

    public static Dictionary<string, string> Of(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .ToDictionary(path => Path.GetRelativePath(folder, path), Hash);

    private static string Hash(string path)
    {
        try
        {
            return Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));
        }
        catch (IOException)
        {
            // Somebody holds it.
            return string.Empty;
        }
    }

    /// <summary>What a command writes under before it gets its name, or while somebody works in a folder.</summary>
    public static bool IsTemporary(string path) =>
        path.Split(Path.DirectorySeparatorChar).Any(part => part is "lock" or "lock.json" || TemporaryMarks.Any(mark => part.Contains(mark, StringComparison.Ordinal)));

    /// <summary>Files that grow line by line while a run goes on.</summary>
    public static bool Grows(string path) => path.EndsWith(".jsonl", StringComparison.Ordinal) || Path.GetFileName(path).StartsWith("events.", StringComparison.Ordinal);

    /// <summary>Whether a page ends, or JSON can be read: for files that have another content each time.</summary>
    public static bool IsWhole(string path)
    {
        try
        {
            if (path.EndsWith(".html", StringComparison.Ordinal))
            {
                return File.ReadAllText(path).TrimEnd().EndsWith("</html>", StringComparison.Ordinal);
            }

            if (path.EndsWith(".json", StringComparison.Ordinal))
            {
                using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(path, target);
        }
    }

    public static void Delete(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
