using System.Globalization;
using System.Text;
using System.Text.Json;
using CommunityToolkit.HighPerformance.Buffers;
using QApollo;

namespace ComparePackages;

internal static class Agreement
{
    private const int Shown = 3;

    /// <summary>On how many strings the ids differ, and the first of those.</summary>
    public static void Report(ITokenizer ours, IPeer peer, string[] strings, string what)
    {
        using var ids = new ArrayPoolBufferWriter<int>();
        var different = new List<string>();
        int failed = 0;
        foreach (string text in strings)
        {
            ids.Clear();
            ours.Encode(Encoding.UTF8.GetBytes(text), ids);
            IReadOnlyList<int> theirs;
            try
            {
                theirs = peer.Encode(text);
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                failed++;
                theirs = [];
            }

            if (!ids.WrittenSpan.SequenceEqual([.. theirs]))
            {
                different.Add($"  {JsonSerializer.Serialize(text.Length > 60 ? text[..60] : text)}\n    ours   {Some(ids.WrittenSpan)}\n    theirs {Some([.. theirs])}");
            }
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{ours.Description}, {what}: {peer.Name} differs on {different.Count} of {strings.Length} strings ({failed} of them fail there)"));
        different.Take(Shown).ToList().ForEach(Console.WriteLine);
    }

    private static string Some(ReadOnlySpan<int> ids) => string.Join(' ', ids[..Math.Min(20, ids.Length)].ToArray());
}
