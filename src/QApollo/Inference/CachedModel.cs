using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;
using QApollo.Quantization;

namespace QApollo.Inference;

/// <summary>
/// A model that reads one sequence token by token and says what may come next. Many tokens at once go through in
/// chunks; a chunk's unused rows are padded, and what they leave in the cache is written over before it is read.
/// </summary>
public sealed class CachedModel
{
    private const int MaxChunk = 64;

    private readonly KeyValueCache _cache;
    private readonly ForwardPass _chunk;
    private readonly ForwardPass _single;
    private readonly LanguageModelHead _head;
    private readonly int[] _chunkTokens;
    private readonly byte[] _logitBytes;
    private readonly float[] _logits;

    /// <summary>Declares the cache and two passes in the table; the weights may be those of a trainer.</summary>
    /// <param name="rotary">Of at least <see cref="CapacityFor"/> positions.</param>
    /// <param name="tokens">Tokens that a sequence can have, 1 or more.</param>
    public CachedModel(TensorTable table, LlamaConfig config, ModelWeights weights, DeviceProfile profile, RotaryTable rotary, int tokens)
    {
        Capacity = CapacityFor(tokens);
        int chunk = Math.Min(MaxChunk, tokens);
        AttentionShape Shape(int queries) => new(1, queries, Capacity, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim);
        LargestAttention = Shape(chunk);
        _chunkTokens = new int[chunk];
        _cache = new KeyValueCache(table, config, profile.ActivationDType, Capacity);
        _chunk = new ForwardPass(table, config, weights, profile, rotary, Shape(chunk), "chunk");
        _single = new ForwardPass(table, config, weights, profile, rotary, Shape(1), "single");
        _head = new LanguageModelHead(table, config, weights, profile, tokens: 1, name: "next");
        _logitBytes = new byte[(long)config.VocabSize * profile.LogitDType.Size()];
        _logits = new float[config.VocabSize];
    }

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; }

    /// <summary>Tokens read so far.</summary>
    public int Length { get; private set; }

    /// <summary>For the size of the device's workspace.</summary>
    public AttentionShape LargestAttention { get; }

    /// <summary>Capacity of a model for that many tokens: whole chunks. 0 for 0.</summary>
    public static int CapacityFor(int tokens)
    {
        int chunk = Math.Max(1, Math.Min(MaxChunk, tokens));
        return (tokens + chunk - 1) / chunk * chunk;
    }

    /// <summary>Begins another sequence.</summary>
    public void Reset() => Length = 0;

    /// <summary>Reads tokens that follow those read before.</summary>
    /// <param name="tokens">At least one.</param>
    /// <returns>[V]: the logits of the token after the last one; valid until the next call.</returns>
    /// <exception cref="ArgumentException">No tokens, or more than fit.</exception>
    public ReadOnlySpan<float> Append(IDevice device, scoped ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty || tokens.Length > Capacity - Length)
        {
            throw new ArgumentException($"{tokens.Length} tokens after {Length}; at least 1 is needed and {Capacity} fit", nameof(tokens));
        }

        Tensor last = default;
        while (!tokens.IsEmpty)
        {
            int count = tokens.Length > 1 && Length + _chunkTokens.Length <= Capacity ? Math.Min(tokens.Length, _chunkTokens.Length) : 1;
            last = Run(device, tokens[..count]);
            Length += count;
            tokens = tokens[count..];
        }

        device.Download(_head.Logits(device, last), _logitBytes);
        ToSingles();
        return _logits;
    }

    /// <summary>
    /// What any use does to the tensors: chunks after chunks, then single tokens after single tokens, so that the cache outlives
    /// everything that either of them writes.
    /// </summary>
    public void Rehearse(IDevice device)
    {
        Reset();
        do
        {
            Append(device, _chunkTokens);
        }
        while (Length < Math.Min(Capacity, 2 * _chunkTokens.Length));

        int singles = Math.Min(2, Capacity);
        Length = Math.Min(Length, Capacity - singles);
        for (int i = 0; i < singles; i++)
        {
            Append(device, _chunkTokens.AsSpan(0, 1));
        }

        Reset();
    }

    /// <returns>[1, H]: the last layer's output for the last token.</returns>
    private Tensor Run(IDevice device, scoped ReadOnlySpan<int> tokens)
    {
        if (tokens.Length == 1)
        {
            return _single.Run(device, tokens, _cache, Length);
        }

        tokens.CopyTo(_chunkTokens);
        _chunkTokens.AsSpan(tokens.Length).Clear();
        return _chunk.Run(device, _chunkTokens, _cache, Length).RowRange(tokens.Length - 1, 1);
    }

    private void ToSingles()
    {
        if (_logitBytes.Length == _logits.Length * sizeof(float))
        {
            MemoryMarshal.Cast<byte, float>(_logitBytes).CopyTo(_logits);
            return;
        }

        ReadOnlySpan<ushort> stored = MemoryMarshal.Cast<byte, ushort>(_logitBytes);
        for (int i = 0; i < _logits.Length; i++)
        {
            _logits[i] = BFloat.ToSingle(stored[i]);
        }
    }
}
