using System.Diagnostics;
using System.Globalization;
using QApollo.Data.Tokenizers;
using QApollo.Data.Tokenizers.Training;

// TrainBpe TEXT OUTPUT.json TOKENS LEAST-FREQUENCY PATTERN THREADS: learns from the lines of a text, each with its line end.
byte[] text = File.ReadAllBytes(args[0]);
var options = new BpeTrainerOptions
{
    VocabularySize = int.Parse(args[2], CultureInfo.InvariantCulture),
    MinFrequency = int.Parse(args[3], CultureInfo.InvariantCulture),
    Pattern = Enum.Parse<WordPattern>(args[4]),
    Threads = int.Parse(args[5], CultureInfo.InvariantCulture),
};
var watch = Stopwatch.StartNew();
ByteLevelBpe model = BpeTrainer.Train(Lines(text), options);
TimeSpan time = watch.Elapsed;
TokenizerJson.Write(args[1], model);
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{text.Length / 1e6:F1} MB, {model.VocabularySize} tokens, {model.Merges.Count} merges, {time.TotalSeconds:F2} s, {text.Length / 1e6 / time.TotalSeconds:F1} MB/s"));

static IEnumerable<ReadOnlyMemory<byte>> Lines(byte[] text)
{
    for (int start = 0; start < text.Length;)
    {
        int end = Array.IndexOf(text, (byte)'\n', start) + 1;
        end = end > 0 ? end : text.Length;
        yield return text.AsMemory(start..end);
        start = end;
    }
}
