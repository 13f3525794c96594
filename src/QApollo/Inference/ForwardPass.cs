using System.Runtime.InteropServices;
using QApollo.Devices;
using QApollo.Memory;
using QApollo.Models;

namespace QApollo.Inference;

/// <summary>N tokens through embedding and all layers, forward only; two buffers serve all layers in turn.</summary>
public sealed class ForwardPass
{
    private readonly ModelWeights _weights;
    private readonly LayerWeights[] _layers;
    private readonly AttentionShape _shape;
    private readonly DecoderLayer _layer;
    private readonly PlannedTensor _tokens;
    private readonly PlannedTensor[] _hidden;

    /// <param name="attention">Its query rows are N; with a cache it has one sequence.</param>
    /// <param name="name">Start of its tensors' names.</param>
    public ForwardPass(
        TensorTable table, LlamaConfig config, ModelWeights weights, DeviceProfile profile, RotaryTable rotary, AttentionShape attention, string name)
    {
        _weights = weights;
        _layers = [.. weights.Layers.Select(layer => layer.WithoutExpansions())];
        _shape = attention;
        _layer = new DecoderLayer(config, new LayerActivations(table, config, profile, attention, name), rotary);
        _tokens = table.Transient($"{name}.tokens", DType.I32, 1, attention.QueryRows, TensorCategory.Staging);
        _hidden =
        [
            .. Enumerable.Range(0, 2).Select(parity => table.Transient(
                $"{name}.hidden.{parity}", profile.ActivationDType, attention.QueryRows, config.HiddenSize, TensorCategory.Boundaries)),
        ];
    }

    /// <param name="tokens">[N], each in 0..V-1.</param>
    /// <param name="cache">Takes the keys and values, and has those of the tokens before; null for whole sequences.</param>
    /// <param name="documentStarts">I32 [1, N] on the device, absent for whole sequences; not with a cache.</param>
    /// <returns>[N, H]: the last layer's output, valid until the next run.</returns>
    public Tensor Run(IDevice device, ReadOnlySpan<int> tokens, KeyValueCache? cache = null, int firstPosition = 0, Tensor documentStarts = default)
    {
        device.Upload(MemoryMarshal.AsBytes(tokens), _tokens);
        device.EmbeddingForward(_weights.Embedding.Stored, _tokens, _hidden[0]);
        _weights.Store.BeginPass(device);
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            _weights.Store.Use(device, layer, direction: 1);
            _weights.Store.Advance(device, part: 0, parts: 1);
            Tensor input = _hidden[layer % 2];
            Tensor output = _hidden[(layer + 1) % 2];
            if (cache is null)
            {
                _layer.Forward(device, _layers[layer], input, output, documentStarts);
            }
            else
            {
                _layer.Forward(device, _layers[layer], input, output, cache.Context(layer, _shape, firstPosition));
            }
        }

        _weights.Store.EndPass(device);
        return _hidden[_layers.Length % 2];
    }
}
