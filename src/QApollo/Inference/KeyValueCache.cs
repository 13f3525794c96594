using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Inference;

/// <summary>Keys and values of the tokens of one sequence so far, for every layer. K key/value width.</summary>
public sealed class KeyValueCache
{
    private readonly PlannedTensor[] _keys;
    private readonly PlannedTensor[] _values;

    /// <param name="capacity">Tokens that fit.</param>
    public KeyValueCache(TensorTable table, LlamaConfig config, DType dtype, int capacity)
    {
        PlannedTensor[] Declare(string name) =>
        [
            .. Enumerable.Range(0, config.NumHiddenLayers).Select(layer => table.Transient(
                $"cache.{layer}.{name}", dtype, capacity, config.KeyValueSize, TensorCategory.Activations)),
        ];
        Capacity = capacity;
        _keys = Declare("key");
        _values = Declare("value");
    }

    public int Capacity { get; }

    /// <summary>The place of new tokens behind the <paramref name="firstPosition"/> tokens before them.</summary>
    /// <param name="shape">One sequence; its query length is the number of new tokens.</param>
    public AttentionContext Context(int layer, in AttentionShape shape, int firstPosition)
    {
        int seen = firstPosition + shape.QueryLength;
        return new AttentionContext(
            _keys[layer].RowRange(firstPosition, shape.QueryLength), _values[layer].RowRange(firstPosition, shape.QueryLength),
            _keys[layer].RowRange(0, seen), _values[layer].RowRange(0, seen), shape with { KeyLength = seen }, firstPosition);
    }
}
