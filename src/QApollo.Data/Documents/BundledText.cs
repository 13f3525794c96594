using System.Text;

namespace QApollo.Data;

/// <summary>
/// A small English text inside the program, so that it can train on a machine without a network and without the .NET SDK: the
/// Constitution of the United States, which is in the public domain (Debian's package miscfiles has it).
/// </summary>
public static class BundledText
{
    /// <summary>One line for people.</summary>
    public static string Description => "the Constitution of the United States, a small text inside the program";

    /// <summary>A UTF-8 document for each section.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> ReadDocuments()
    {
        using var reader = new StreamReader(typeof(BundledText).Assembly.GetManifestResourceStream("Constitution.txt")!, Encoding.UTF8);
        foreach (string section in reader.ReadToEnd().ReplaceLineEndings("\n").Split("\n\n\n", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            yield return Encoding.UTF8.GetBytes(section + "\n");
        }
    }
}
