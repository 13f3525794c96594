using System.Runtime.InteropServices;
using QApollo.Checkpoints;
using QApollo.Cpu;
using QApollo.Inference;
using QApollo.Models;

namespace QApollo.Interchange.Tests;

/// <summary>A model on this program's CPU device, in F32.</summary>
internal sealed class Computed : IDisposable
{
    private readonly CpuDevice _device = new(threads: 2);
    private readonly InferenceModel _model;

    public Computed(ModelFolder folder, int sequenceLength)
        : this(folder, folder.Config, folder.Formats, sequenceLength)
    {
    }

    public Computed(IWeightSource weights, LlamaConfig config, WeightFormats formats, int sequenceLength) => _model = new InferenceModel(
        weights,
        new InferenceOptions { Model = config, Weights = formats, GeneratedTokens = sequenceLength, BatchSize = 1, SequenceLength = sequenceLength },
        _device);

    /// <summary>Every weight as binary32, by name.</summary>
    public Dictionary<string, float[]> Values() => _model.Layout.Weights.All.ToDictionary(weight => weight.Parameter.Name, weight =>
    {
        var values = new float[weight.Parameter.Elements];
        _model.Layout.WeightStaging.Read(_device, weight, (firstRow, rows) =>
            MemoryMarshal.Cast<byte, float>(rows).CopyTo(values.AsSpan(firstRow * weight.Parameter.Columns)));
        return values;
    });

    /// <summary>Logits behind every token of a sequence.</summary>
    /// <returns>[tokens][V].</returns>
    public float[][] Logits(ReadOnlySpan<int> tokens)
    {
        CachedModel model = _model.Layout.Generation!;
        model.Reset();
        var logits = new float[tokens.Length][];
        for (int i = 0; i < tokens.Length; i++)
        {
            logits[i] = model.Append(_device, [tokens[i]]).ToArray();
        }

        return logits;
    }

    /// <summary>The likeliest token, again and again.</summary>
    public int[] Greedy(ReadOnlySpan<int> prompt, int count)
    {
        CachedModel model = _model.Layout.Generation!;
        model.Reset();
        var generated = new int[count];
        float[] logits = model.Append(_device, prompt).ToArray();
        for (int i = 0; i < count; i++)
        {
            generated[i] = Array.IndexOf(logits, logits.Max());
            logits = model.Append(_device, [generated[i]]).ToArray();
        }

        return generated;
    }

    /// <summary>Mean loss of predicting each token of a sequence from those before it, in nats.</summary>
    /// <param name="tokens">One more than the planned sequence length.</param>
    public double Loss(ReadOnlySpan<int> tokens) =>
        _model.Layout.Scoring!.LossSum(_device, tokens[..^1], tokens[1..]) / (tokens.Length - 1);

    public void Dispose()
    {
        _model.Dispose();
        _device.Dispose();
    }
}
