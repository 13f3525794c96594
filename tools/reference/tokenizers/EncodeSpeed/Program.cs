using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using CommunityToolkit.HighPerformance.Buffers;
using QApollo.Data;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Training;

// EncodeSpeed DOCUMENTS.jsonl.gz TOKENIZER-OR-train [ROUNDS]: encodes the "text" of each line on one core, round by round.
List<byte[]> documents = [.. ReadDocuments(args[0])];
double megabytes = documents.Sum(document => (long)document.Length) / 1e6;
ITokenizer tokenizer;
if (args[1] == "train")
{
    (TimeSpan cpu, var watch) = (Process.GetCurrentProcess().TotalProcessorTime, Stopwatch.StartNew());
    ByteLevelBpe model = BpeTrainer.Train(documents.Select(document => new ReadOnlyMemory<byte>(document)), new BpeTrainerOptions());
    Report($"trained {model.VocabularySize} tokens", megabytes, watch.Elapsed, Process.GetCurrentProcess().TotalProcessorTime - cpu);
    tokenizer = TokenizerJson.Create(model);
}
else
{
    tokenizer = TokenizerLoader.Load(args[1]);
}

using var ids = new ArrayPoolBufferWriter<int>();
for (int round = 0; round < (args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 5); round++)
{
    long allocated = GC.GetAllocatedBytesForCurrentThread();
    long count = 0;
    (TimeSpan cpu, var watch) = (Process.GetCurrentProcess().TotalProcessorTime, Stopwatch.StartNew());
    foreach (byte[] document in documents)
    {
        ids.Clear();
        tokenizer.Encode(document, ids);
        count += ids.WrittenCount;
    }

    Report($"{count} ids, {GC.GetAllocatedBytesForCurrentThread() - allocated} bytes allocated", megabytes, watch.Elapsed, Process.GetCurrentProcess().TotalProcessorTime - cpu);
}

static void Report(string what, double megabytes, TimeSpan wall, TimeSpan cpu) => Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{what}: {megabytes:F1} MB in {wall.TotalSeconds:F3} s ({megabytes / wall.TotalSeconds:F1} MB/s), {cpu.TotalSeconds:F3} s of processor time ({megabytes / cpu.TotalSeconds:F1} MB/s)"));

static IEnumerable<byte[]> ReadDocuments(string path)
{
    using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
    while (reader.ReadLine() is string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        yield return Encoding.UTF8.GetBytes(document.RootElement.GetProperty("text").GetString()!);
    }
}
