using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace QApollo.Reference;

/// <summary>
/// The same model in TorchSharp with libtorch's autograd, its fused attention and its AdamW, on random tokens, binary32: the newer of the two
/// yardsticks for the CPU device. Prints one JSON line: tokens per second (median of the timed steps) and peak resident memory.
/// Usage: TorchSharpLlama MODEL STEPS BATCH THREADS
/// </summary>
internal static class Program
{
    private const int Length = 256;
    private const int Warmup = 2;

    private static void Main(string[] args)
    {
        Shape shape = Shape.Of(args[0]);
        int[] numbers = [.. args[1..].Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        (int steps, int batch, int threads) = (numbers[0], numbers[1], numbers[2]);
        set_num_threads(threads);
        random.manual_seed(1);
        var model = new Llama(shape, Length);
        var optimizer = optim.AdamW(model.parameters(), lr: 0.001, weight_decay: 0);
        var times = new List<double>();
        for (int step = 0; step < steps + Warmup; step++)
        {
            using DisposeScope scope = NewDisposeScope();
            long start = Stopwatch.GetTimestamp();
            Tensor tokens = randint(0, shape.Vocabulary, [batch, Length + 1], ScalarType.Int64);
            optimizer.zero_grad();
            Tensor loss = model.forward(tokens.narrow(1, 0, Length).contiguous(), tokens.narrow(1, 1, Length).contiguous());
            loss.backward();
            optimizer.step();
            loss.item<float>();
            if (step >= Warmup)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        times.Sort();
        double rate = batch * Length / times[times.Count / 2];
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{{\"tokensPerSecond\": {rate:0.0}, \"peakBytes\": {Process.GetCurrentProcess().PeakWorkingSet64}}}"));
    }
}
