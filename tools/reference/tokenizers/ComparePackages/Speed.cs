using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using CommunityToolkit.HighPerformance.Buffers;
using QApollo;

namespace ComparePackages;

internal static class Speed
{
    /// <summary>Medians over alternating rounds, in processor time; each side gets the text in the form it takes.</summary>
    public static void Report(ITokenizer ours, IPeer peer, string path, int rounds)
    {
        string[] texts = [.. Read(path)];
        byte[][] bytes = [.. texts.Select(Encoding.UTF8.GetBytes)];
        double megabytes = bytes.Sum(text => (long)text.Length) / 1e6;
        using var ids = new ArrayPoolBufferWriter<int>();
        var speeds = (Ours: new List<double>(), Theirs: new List<double>());
        for (int round = 0; round < rounds; round++)
        {
            speeds.Ours.Add(megabytes / Seconds(() =>
            {
                foreach (byte[] text in bytes)
                {
                    ids.Clear();
                    ours.Encode(text, ids);
                }
            }));
            speeds.Theirs.Add(megabytes / Seconds(() =>
            {
                foreach (string text in texts)
                {
                    peer.Encode(text);
                }
            }));
        }

        (double own, double other) = (Median(speeds.Ours), Median(speeds.Theirs));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{ours.Description}: {own:F1} MB/s of processor time, {peer.Name} {other:F1} MB/s, ratio {own / other:F2}, {megabytes:F1} MB, medians of {rounds}"));
    }

    private static double Seconds(Action work)
    {
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        work();
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static IEnumerable<string> Read(string path)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        while (reader.ReadLine() is string line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.GetProperty("text").GetString()!;
        }
    }
}
