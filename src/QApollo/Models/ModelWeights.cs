using QApollo.Memory;

namespace QApollo.Models;

/// <summary>The weights of one decoder layer. Shapes as [out, in]; H hidden, I intermediate, A attention width, K key/value width.</summary>
public sealed class LayerWeights
{
    internal LayerWeights(IReadOnlyList<Weight> weights)
    {
        Query = weights[0];
        Key = weights[1];
        Value = weights[2];
        Output = weights[3];
        Gate = weights[4];
        Up = weights[5];
        Down = weights[6];
        InputNorm = weights[7];
        PostAttentionNorm = weights[8];
        Matrices = [Query, Key, Value, Output, Gate, Up, Down];
    }

    /// <summary>[A, H]</summary>
    public Weight Query { get; }

    /// <summary>[K, H]</summary>
    public Weight Key { get; }

    /// <summary>[K, H]</summary>
    public Weight Value { get; }

    /// <summary>[H, A]</summary>
    public Weight Output { get; }

    /// <summary>[I, H]</summary>
    public Weight Gate { get; }

    /// <summary>[I, H]</summary>
    public Weight Up { get; }

    /// <summary>[H, I]</summary>
    public Weight Down { get; }

    /// <summary>[1, H]</summary>
    public Weight InputNorm { get; }

    /// <summary>[1, H]</summary>
    public Weight PostAttentionNorm { get; }

    public Weight[] Matrices { get; }

    /// <summary>The same memory, for products outside the pass that expands the matrices.</summary>
    public LayerWeights WithoutExpansions() => new([.. Matrices.Append(InputNorm).Append(PostAttentionNorm).Select(weight => weight.WithoutExpansions())]);
}

/// <summary>All weights of a model.</summary>
public sealed class ModelWeights
{
    private const int WeightsPerLayer = 9;

    /// <summary>Declares every weight in the table.</summary>
    public ModelWeights(TensorTable table, LlamaConfig config, WeightFormats formats)
    {
        All = [.. ParameterTable.Of(config).Select(parameter => new Weight(table, parameter, formats))];
        Embedding = All[0];
        Layers = [.. All.Skip(1).Take(WeightsPerLayer * config.NumHiddenLayers).Chunk(WeightsPerLayer).Select(layer => new LayerWeights(layer))];
        FinalNorm = All[1 + (WeightsPerLayer * config.NumHiddenLayers)];
        Head = config.TieWordEmbeddings ? Embedding : All[^1];
    }

    /// <summary>In the order of the parameter table.</summary>
    public Weight[] All { get; }

    /// <summary>[V, H]</summary>
    public Weight Embedding { get; }

    public LayerWeights[] Layers { get; }

    /// <summary>[1, H]</summary>
    public Weight FinalNorm { get; }

    /// <summary>[V, H]; the embedding itself when tied.</summary>
    public Weight Head { get; }
}
