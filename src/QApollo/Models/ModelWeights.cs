using QApollo.Devices;
using QApollo.Memory;

namespace QApollo.Models;

/// <summary>
/// The weights of one decoder layer. Shapes as [out, in]; H hidden, I intermediate, A attention width, K key/value width,
/// D head dimension. Biases and head norms are null in models that have none.
/// </summary>
public sealed class LayerWeights
{
    internal LayerWeights(Weight[] weights)
    {
        All = weights;
        Query = Find(ParameterRole.Query);
        Key = Find(ParameterRole.Key);
        Value = Find(ParameterRole.Value);
        Output = Find(ParameterRole.Output);
        Gate = Find(ParameterRole.Gate);
        Up = Find(ParameterRole.Up);
        Down = Find(ParameterRole.Down);
        InputNorm = Find(ParameterRole.InputNorm);
        PostAttentionNorm = Find(ParameterRole.PostAttentionNorm);
        QueryBias = TryFind(ParameterRole.QueryBias);
        KeyBias = TryFind(ParameterRole.KeyBias);
        ValueBias = TryFind(ParameterRole.ValueBias);
        OutputBias = TryFind(ParameterRole.OutputBias);
        GateBias = TryFind(ParameterRole.GateBias);
        UpBias = TryFind(ParameterRole.UpBias);
        DownBias = TryFind(ParameterRole.DownBias);
        QueryNorm = TryFind(ParameterRole.QueryNorm);
        KeyNorm = TryFind(ParameterRole.KeyNorm);
        Matrices = [Query, Key, Value, Output, Gate, Up, Down];
    }

    /// <summary>In the order of the parameter table.</summary>
    public Weight[] All { get; }

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

    /// <summary>[1, A]</summary>
    public Weight? QueryBias { get; }

    /// <summary>[1, K]</summary>
    public Weight? KeyBias { get; }

    /// <summary>[1, K]</summary>
    public Weight? ValueBias { get; }

    /// <summary>[1, H]</summary>
    public Weight? OutputBias { get; }

    /// <summary>[1, I]</summary>
    public Weight? GateBias { get; }

    /// <summary>[1, I]</summary>
    public Weight? UpBias { get; }

    /// <summary>[1, H]</summary>
    public Weight? DownBias { get; }

    /// <summary>[1, D]</summary>
    public Weight? QueryNorm { get; }

    /// <summary>[1, D]</summary>
    public Weight? KeyNorm { get; }

    public Weight[] Matrices { get; }

    /// <summary>The same memory, for products outside the pass that expands the matrices.</summary>
    public LayerWeights WithoutExpansions() => new([.. All.Select(weight => weight.WithoutExpansions())]);

    private Weight? TryFind(ParameterRole role) => Array.Find(All, weight => weight.Parameter.Role == role);

    private Weight Find(ParameterRole role) => TryFind(role) ?? throw new ArgumentException($"a layer without {role}");
}

/// <summary>All weights of a model.</summary>
public sealed class ModelWeights
{
    /// <summary>Declares every weight in the table.</summary>
    /// <param name="layers">Where the layers' matrices live; by default on the device.</param>
    public ModelWeights(TensorTable table, LlamaConfig config, WeightFormats formats, LayerPlacement? layers = null)
    {
        layers ??= LayerPlacement.OnDevice;
        All = [.. ParameterTable.Of(config).Select(parameter => new Weight(table, parameter, formats, layers.Space))];
        Embedding = All[0];
        Layers =
        [
            .. All.Where(weight => weight.Parameter.Layer >= 0).GroupBy(weight => weight.Parameter.Layer).OrderBy(layer => layer.Key)
                .Select(layer => new LayerWeights([.. layer])),
        ];
        FinalNorm = All.Single(weight => weight.Parameter.Role == ParameterRole.FinalNorm);
        Head = config.TieWordEmbeddings ? Embedding : All[^1];
        Store = layers.Space switch
        {
            MemorySpace.Device => new DeviceLayers(),
            MemorySpace.PinnedHost => new HostLayers(table, Layers, layers.Slots),
            _ => new DiskLayers(table, Layers, layers.Slots),
        };
    }

    /// <summary>In the order of the parameter table.</summary>
    public Weight[] All { get; }

    /// <summary>[V, H]</summary>
    public Weight Embedding { get; }

    public LayerWeights[] Layers { get; }

    /// <summary>Brings the layers to the device, where they wait elsewhere.</summary>
    public LayerStore Store { get; }

    /// <summary>[1, H]</summary>
    public Weight FinalNorm { get; }

    /// <summary>[V, H]; the embedding itself when tied.</summary>
    public Weight Head { get; }
}
